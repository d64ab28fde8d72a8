for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  if (body.rows.length < 2) continue;
  const worth = cell => {
    const text = (cell.firstChild?.textContent ?? "").trim();
    const number = parseFloat(text.replaceAll(",", "").replace("\u2212", "-").replace(/^[<>+ ]+/, ""));
    return Number.isNaN(number) ? text : number;
  };
  const order = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.ariaSort !== "ascending";
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = up ? "ascending" : "descending";
      const rows = [...body.rows].map(row => [worth(row.cells[column]), row]);
      rows.sort((a, b) => up ? order(a[0], b[0]) : order(b[0], a[0]));
      body.append(...rows.map(pair => pair[1]));
    });
  });
}
