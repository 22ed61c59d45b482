// How times are written: slots as ranges of local time, ages and waiting times as lengths.
//
// Market time is in seconds UTC. In a demonstration it may run faster than real time (`rate`). A
// waiting time is therefore divided by the rate before it is shown; the range of a slot is not.

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, kind: "clock" | "day" | "date"): Intl.DateTimeFormat {
  const key = `${zone} ${kind}`;
  let found = formats.get(key);
  if (!found) {
    const shape: Intl.DateTimeFormatOptions =
      kind === "clock"
        ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
        : kind === "day"
          ? { weekday: "short", day: "numeric", month: "short" }
          : { year: "numeric", month: "2-digit", day: "2-digit" };
    found = new Intl.DateTimeFormat("en-GB", { ...shape, timeZone: zone });
    formats.set(key, found);
  }
  return found;
}

/** "12:15". */
export function clock(seconds: number, zone: string): string {
  return format(zone, "clock").format(seconds * 1000);
}

/** "12:15–12:30", the range of a slot. */
export function range(start: number, lengthS: number, zone: string): string {
  return `${clock(start, zone)}\u2013${clock(start + lengthS, zone)}`;
}

/** "Tue 3 Jun". */
export function day(seconds: number, zone: string): string {
  return format(zone, "day").format(seconds * 1000).replace(",", "");
}

/** The day and the range of a slot. */
export function dayRange(start: number, lengthS: number, zone: string): string {
  return `${day(start, zone)}, ${range(start, lengthS, zone)}`;
}

/** The start of the slot in which a moment lies. */
export function slotOf(seconds: number, lengthS: number): number {
  return Math.floor(seconds / lengthS) * lengthS;
}

/** The first second of the local day of a moment, also on days on which the clocks change. */
export function dayStart(seconds: number, zone: string): number {
  const today = format(zone, "date").format(seconds * 1000);
  let low = seconds - 26 * 3600;
  let high = seconds;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (format(zone, "date").format(middle * 1000) === today) high = middle;
    else low = middle;
  }
  return high;
}

/** A length of time: "8 s", "3 min", "2 h 5 min", "4 days". */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole}\u00a0s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return `${minutes}\u00a0min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) {
    const rest = minutes % 60;
    return rest ? `${hours}\u00a0h ${rest}\u00a0min` : `${hours}\u00a0h`;
  }
  return `${Math.round(hours / 24)}\u00a0days`;
}

/** "1 slot = 10 s": how fast a demonstration runs. */
export function pace(lengthS: number, rate: number): string {
  return `1 slot = ${span(lengthS / rate)}`;
}
