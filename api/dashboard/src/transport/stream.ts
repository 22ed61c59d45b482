// Subscriptions over graphql-transport-ws: one socket, which is opened again after growing pauses.

import { accessToken } from "./session.ts";

interface Wanted {
  readonly query: string;
  readonly take: (data: unknown) => void;
}

type Message = { type: string; id?: string; payload?: { data?: unknown } };

const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 15_000;

export class Stream {
  private socket: WebSocket | null = null;
  private pauseMs = PAUSE_MS_MIN;
  private closed = false;
  private timer = 0;

  constructor(
    private readonly wanted: readonly Wanted[],
    private readonly told: (connected: boolean) => void,
  ) {
    void this.open();
  }

  close(): void {
    this.closed = true;
    window.clearTimeout(this.timer);
    const socket = this.socket;
    if (!socket) return;
    // The browser logs an error when a socket is closed before it is open.
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(1000);
    else socket.close(1000);
  }

  private async open(): Promise<void> {
    let token: string | null;
    try {
      token = await accessToken();
    } catch {
      this.again(); // the calls over HTTP show why
      return;
    }
    if (this.closed) return;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/graphql`, "graphql-transport-ws");
    this.socket = socket;
    socket.onopen = () => {
      socket.send(
        JSON.stringify({ type: "connection_init", payload: token ? { authorization: `Bearer ${token}` } : {} }),
      );
    };
    socket.onmessage = (event: MessageEvent<string>) => this.take(socket, JSON.parse(event.data) as Message);
    socket.onclose = () => this.again();
  }

  private take(socket: WebSocket, message: Message): void {
    if (message.type === "connection_ack") {
      this.pauseMs = PAUSE_MS_MIN;
      this.told(true);
      this.wanted.forEach(({ query }, index) => {
        socket.send(JSON.stringify({ type: "subscribe", id: String(index), payload: { query } }));
      });
    } else if (message.type === "ping") {
      socket.send(JSON.stringify({ type: "pong" }));
    } else if (message.type === "next" && message.payload?.data) {
      this.wanted[Number(message.id)]?.take(message.payload.data);
    }
  }

  private again(): void {
    if (this.closed) return;
    this.told(false);
    this.timer = window.setTimeout(() => void this.open(), this.pauseMs);
    this.pauseMs = Math.min(this.pauseMs * 2, PAUSE_MS_MAX);
  }
}
