// The entry point: it renders the shell into the page.

import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./page.css";
import { Shell } from "./shell/shell.tsx";

const place = document.getElementById("page");
if (place) {
  place.replaceChildren();
  render(<Shell />, place);
}
