// Keeps a page up to date: fetches it again and puts the parts in place that have changed. The page is complete
// without this. Nothing is replaced that somebody is using, and nothing is announced but a changed verdict.
"use strict";

(() => {
  const seconds = Number(document.body.dataset.refresh);
  if (!seconds) return;
  let failures = 0;

  const isInUse = (part) => {
    const selection = document.getSelection();
    const isSelected = selection && !selection.isCollapsed && selection.anchorNode && part.contains(selection.anchorNode);
    return isSelected || part.contains(document.activeElement);
  };

  // What somebody has opened stays open.
  const opened = (part) => [...part.querySelectorAll("details[id]")].filter((one) => one.open).map((one) => one.id);

  const put = (part, fresh) => {
    if (part.innerHTML === fresh.innerHTML || isInUse(part)) return;
    const open = opened(part);
    part.replaceChildren(...fresh.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  };

  const refresh = async () => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 15000);
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: stop.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(part.id);
        if (fresh) {
          put(part, fresh);
          part.className = fresh.className;
        }
      }
      document.title = page.title;
      failures = 0;
    } catch {
      failures += 1;
    } finally {
      clearTimeout(timer);
    }
    document.documentElement.classList.toggle("is-stale", failures > 1);
  };

  // Asks less often while nobody answers, and not at all while nobody looks.
  const loop = async () => {
    if (!document.hidden) await refresh();
    setTimeout(loop, seconds * 1000 * Math.min(12, 2 ** failures));
  };
  setTimeout(loop, seconds * 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
})();
