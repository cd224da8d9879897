// Whatever scrolls sideways can be reached and scrolled by the keyboard.
(() => {
  const update = () => {
    for (const box of document.querySelectorAll(".table-wrapper, main pre, main pre > code, .lrcourse-math")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", update);
  addEventListener("resize", update);
})();
