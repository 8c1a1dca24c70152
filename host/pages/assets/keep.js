// Lockstep: a page that is fetched again must not take away what somebody is writing. While a form with something in it has no
// place on the page as it is now, the page stays as it was, and says so.
document.addEventListener("htmx:before:swap", (event) => {
  const page = document.getElementById("content");
  if (event.detail.ctx?.sourceElement !== page) return;
  const isFilledIn = (field) =>
    field.type === "checkbox" || field.type === "radio"
      ? field.checked !== field.defaultChecked
      : field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
  const key = (form) => form.elements.namedItem("form")?.value;
  const filledIn = [...page.querySelectorAll("form")].filter((form) => key(form) && [...form.elements].some(isFilledIn));
  if (filledIn.length === 0) return;
  const now = new DOMParser().parseFromString(event.detail.ctx.text, "text/html");
  const there = new Set([...now.querySelectorAll('input[name="form"]')].map((field) => field.value));
  const isGone = filledIn.some((form) => !there.has(key(form)));
  document.getElementById("stale").hidden = !isGone;
  if (isGone) event.preventDefault();
});
