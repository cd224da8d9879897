// What mdBook leaves out for readers who use a keyboard or a screen reader.
(() => {
  const wide = ".table-wrapper, main pre, main pre > code, .lrcourse-math";

  // Whatever scrolls sideways can be reached, and scrolled without turning the page.
  const update = () => {
    for (const box of document.querySelectorAll(wide)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", update);
  addEventListener("resize", update);
  for (const box of document.querySelectorAll(wide)) {
    box.addEventListener("keydown", (event) => {
      if (box.tabIndex === 0 && /^Arrow(Left|Right)$/.test(event.key)) event.stopPropagation();
    });
  }

  // The label that opens the table of contents is a button.
  const toggle = document.querySelector("label[for$=sidebar-toggle-anchor]");
  if (toggle) {
    toggle.setAttribute("role", "button");
    toggle.tabIndex = 0;
    toggle.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      toggle.click();
    });
  }
})();
