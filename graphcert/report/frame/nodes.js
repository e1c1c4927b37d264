"use strict";
for (const one of document.querySelectorAll(".scripted")) one.hidden = false;

/* The words of a node in the picture stand below it too: a tooltip is slow, and a finger has none. */
const said = document.querySelector("output.node");
const find = document.querySelector("input.find");
for (const picture of document.querySelectorAll("svg.graph")) {
  for (const event of ["pointerover", "click"]) {
    picture.addEventListener(event, (happened) => {
      const dot = happened.target.closest("circle");
      if (dot === null) return;
      said.textContent = dot.textContent;
      if (event === "click") {
        find.value = dot.textContent.match(/[0-9]+/)[0];
        find.dispatchEvent(new Event("input"));
      }
    });
  }
}

const body = document.querySelector(".nodes tbody");
const rows = [...body.rows];
const cell = (row, column) => row.cells[column].textContent;
const value = (text) => (text === "" || text === "–" ? -Infinity : Number(text.replaceAll(",", "")));

/* A number finds the node of that number, a word the rows with a cell that begins with it. */
const found = document.querySelector("output.found");
find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  const numeric = /^[0-9]+$/.test(wanted);
  let count = 0;
  for (const row of rows) {
    const texts = [...row.cells].map((one) => one.textContent);
    row.hidden = !(numeric ? texts[0] === wanted : texts.some((text) => text.startsWith(wanted)));
    count += !row.hidden;
  }
  found.textContent = wanted === "" ? "" : `${count} of ${rows.length} rows`;
});

for (const [column, head] of [...document.querySelectorAll(".nodes thead th")].entries()) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const numeric = rows.every((row) => !Number.isNaN(value(cell(row, column))));
    const order = (one, other) => {
      const [a, b] = [cell(one, column), cell(other, column)];
      return numeric ? (value(a) === value(b) ? 0 : value(a) - value(b)) : a.localeCompare(b, "en");
    };
    rows.sort((one, other) => (down ? order(other, one) : order(one, other)));
    body.append(...rows);
  });
}
