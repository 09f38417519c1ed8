// Ties the parts together: which picture is open, and what each part is told when something changes.

import { Album } from "./album.js";
import { pictureOf } from "./backdrop.js";
import { startClearDialog } from "./clear-dialog.js";
import { Compare } from "./compare.js";
import { Cropper } from "./cropper.js";
import { Finisher } from "./finisher.js";
import { startHero } from "./hero.js";
import { historyOf } from "./history.js";
import { startIntake } from "./intake.js";
import { startKeyDialog } from "./key-dialog.js";
import { Live } from "./live.js";
import { baseOf, copyFor } from "./look.js";
import { Models } from "./models.js";
import { startMore } from "./more.js";
import { BackgroundPane } from "./pane-background.js";
import { CropPane } from "./pane-crop.js";
import { EdgesPane } from "./pane-edges.js";
import { PeoplePane } from "./pane-people.js";
import { PlacePane } from "./pane-place.js";
import { QualityPane } from "./pane-quality.js";
import { ShopPane } from "./pane-shop.js";
import { TouchPane } from "./pane-touch.js";
import { forgetRecents, note } from "./recents.js";
import { say, tell } from "./say.js";
import { Saver } from "./saver.js";
import { listModels, listPresets, Problem } from "./server.js";
import { Shelf } from "./shelf.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { startTabs } from "./tabs.js";
import { startTakeaway } from "./takeaway.js";
import { startTheme } from "./theme.js";
import { startViews } from "./views.js";
import { currentLanguage, onLanguage, preferredLanguage, reasonOf, setLanguage, t } from "./words.js";
import { Work } from "./work.js";

const MODES = {
  "tab-background": "look",
  "tab-shop": "look",
  "tab-place": "look",
  "tab-touch": "paint",
  "tab-crop": "crop",
  "tab-quality": "review",
};
const SAMPLE = "sample.jpg";
const THUMB_PAUSE_MS = 250;

const $ = (selector) => document.querySelector(selector);

const album = new Album();
const stage = new Stage($("#canvas"), $("#ring"));
const compare = new Compare(stage, $("#divider"), $("#compare"));
const cropper = new Cropper(stage, $("#frame"), lookChanged);
const background = new BackgroundPane($("#pane-background"), () => (isLive ? live.lookChanged() : lookChanged()));
const finisher = new Finisher(stage);
const touch = new TouchPane($("#pane-touch"), stage);
const people = new PeoplePane($("#people"), lookChanged);
const edges = new EdgesPane($("#edges"), lookChanged);
const place = new PlacePane($("#pane-place"), lookChanged);
const shop = new ShopPane($("#pane-shop"), finisher, listPresets, () => {
  lookChanged();
  showPanes();
});
const quality = new QualityPane($("#pane-quality"), stage, $("#marks"));
const crop = new CropPane($("#pane-crop"), lookChanged);
const strip = new Strip(album, {
  list: $("#thumbs"),
  progress: $("#strip-progress"),
  failed: $("#strip-failed"),
  bar: $("#strip-bar"),
  retryAll: $("#retry-all"),
  nav: $(".strip"),
});
const saver = new Saver($(".save"), album, () => work, () => current);
const shelf = new Shelf();
const live = new Live($("#live"));
const models = new Models($("#model-field"), listModels);
const keys = startKeyDialog($("#key-dialog"), {
  given() {
    album.resume();
    models.ask();
    shop.ask();
  },
  refused: () => album.giveUp(),
});

let current = null;
let work = null;
let problemOnOpening = null;
let isLive = false;
const noted = new Set();

// ---- pictures in ----

function take(files) {
  if (isLive) views.go("pictures");
  const entries = album.add(files, models.chosen);
  for (const entry of entries) shelf.keep(entry);
  // With the start page goes the button that was pressed; focus would fall back to the top of the page.
  const leaves = $("#hero").contains(document.activeElement);
  showStudio();
  if (leaves) strip.focus(entries[0]);
  // Words about one picture come from its state; a count is news only for several.
  if (entries.length > 1) say(t("say.added", { count: entries.length }));
  if (!current || current.state === "failed" || entries.length === 1) open(entries[0]);
}

function showStudio() {
  const page = album.entries.length ? "studio" : "empty";
  document.body.dataset.page = isLive ? "live" : page;
  $("#use-all").hidden = album.entries.length < 2;
  $("#clear").hidden = isLive || !album.entries.length;
}

/** The album as it was before a reload. */
async function takeBack() {
  const records = await shelf.load();
  await Promise.all(records.map(({ look }) => takeBackPicture(look.background)));
  delete document.documentElement.dataset.returning;
  if (!records.length) return;
  const entries = album.restore(records);
  for (const entry of entries) announced.set(entry, entry.state);
  showStudio();
  if (!current) open(entries.find(({ key }) => key === shelf.opened) ?? entries[0]);
}

async function takeBackPicture(background) {
  const { picture } = background;
  if (!picture) return;
  try {
    background.picture = await pictureOf(picture.file, picture.name, picture.id);
    note(background.picture);
  } catch {
    // It was not kept, or this browser no longer shows it.
    Object.assign(background, { kind: background.kind === "picture" ? "none" : background.kind, picture: null });
  }
}

async function takeSample() {
  const answer = await fetch(SAMPLE);
  const blob = await answer.blob();
  take([new File([blob], "astronaut.jpg", { type: "image/jpeg" })]);
}

startIntake({ input: $("#files"), veil: $("#veil"), take, nothing: () => tell(t("intake.none")) });
$("#choose").addEventListener("click", () => $("#files").click());
$("#add").addEventListener("click", () => $("#files").click());
$("#sample").addEventListener("click", takeSample);

// ---- the open picture ----

/** Shows an entry: its cut-out when that is here, otherwise how far it is. */
async function open(entry) {
  current = entry;
  shelf.opened = entry?.key ?? "";
  work?.close();
  work = null;
  problemOnOpening = null;
  setBusy(false);
  stage.show(null);
  finisher.refresh(null);
  strip.select(entry);
  showState();
  if (!entry || entry.state !== "done") return;
  const { result } = entry;
  let opened;
  try {
    opened = await Work.open(entry);
  } catch (error) {
    console.error(error);
    if (current !== entry || entry.result !== result) return;
    problemOnOpening = { entry, problem: error instanceof Problem ? error : null };
    showState();
    return;
  }
  // Meanwhile another picture may have been opened, or this one sent once more with another model.
  if (current !== entry || entry.result !== result) {
    opened.close();
    return;
  }
  work = opened;
  stage.show(work);
  finisher.refresh(work);
  showPanes();
  showState();
}

function showPanes() {
  showBackground();
  if (!work) return;
  for (const pane of [shop, place, people, edges]) pane.show(work.entry);
  crop.show(work);
  touch.show();
  quality.show(work);
  showHistory();
}

/** The Background pane belongs to the open picture, or to the camera. */
function showBackground() {
  if (isLive) background.show(live.look, true);
  else if (work) background.show(work.entry.look, Boolean(work.original));
}

function lookChanged() {
  if (!work) return;
  if (work.base !== baseOf(work.entry.look)) {
    remake();
    return;
  }
  stage.refresh();
  crop.show(work);
  cropper.place();
  pixelsChanged();
}

let thumbTimer = 0;

/** Makes the pixels of the open picture anew: it was turned, or people or edges changed. */
async function remake() {
  const entry = current;
  const { result } = entry;
  const wanted = baseOf(entry.look);
  historyOf(entry).record();
  shelf.keep(entry);
  showPanes();
  setBusy(true);
  const isLate = () => current !== entry || entry.result !== result || baseOf(entry.look) !== wanted;
  try {
    const next = await Work.open(entry);
    if (isLate()) {
      next.close();
      return;
    }
    work.close();
    work = next;
    stage.replace(work);
  } catch (error) {
    if (isLate()) return;
    if (!(error instanceof Problem)) console.error(error);
    historyOf(entry).drop();
    shelf.keep(entry);
    tell(error instanceof Problem ? reasonOf(error).title : t("remake.failed"));
  }
  setBusy(false);
  lookChanged();
  showPanes();
}

function setBusy(busy) {
  stage.isBusy = busy;
  $("#stage").setAttribute("aria-busy", String(busy || finisher.state === "making"));
}

function pixelsChanged() {
  if (!work) return;
  historyOf(work.entry).record();
  showHistory();
  finisher.refresh(work);
  shelf.keep(work.entry);
  stage.redraw();
  compare.place();
  saver.show();
  clearTimeout(thumbTimer);
  thumbTimer = setTimeout(() => work && strip.redraw(work), THUMB_PAUSE_MS);
}

/** The cards over the stage, and what of the panel can be used. */
function showState() {
  const state = current?.state;
  const failed = state === "failed" || problemOnOpening !== null;
  $("#stage-tools").hidden = !work;
  $("#panes").inert = !work;
  document.body.dataset.opened = String(Boolean(work));
  $("#failed").hidden = !failed;
  $("#working").hidden = failed || Boolean(work) || !current;
  if (failed) showProblem();
  else if (!work && current) showWorking();
  if (current) models.show(current.model);
  showNote();
  compare.place();
  cropper.place();
  saver.show();
}

function showWorking() {
  const { state, upload, waitSeconds } = current;
  const travelling = state === "sending" && upload > 0 && upload < 1;
  const words = {
    waiting: () => t("stage.waiting"),
    busy: () => t("stage.busy", { seconds: waitSeconds }),
    done: () => t("stage.opening"),
    sending: () => (travelling ? t("stage.sending", { percent: Math.round(upload * 100) }) : t("stage.working")),
  };
  $("#working-text").textContent = words[state]();
  $("#working-bar").classList.toggle("is-endless", !travelling);
  $("#working-bar").style.setProperty("--share", String(upload));
  showPreview();
}

let previewed = null;

/** The original, small, while its cut-out is on the way. */
function showPreview() {
  const picture = $("#working-picture");
  if (previewed === current) return;
  previewed = current;
  URL.revokeObjectURL(picture.src);
  picture.hidden = true;
  picture.onload = () => (picture.hidden = false);
  picture.src = URL.createObjectURL(current.file);
}

function showProblem() {
  const problem = problemOnOpening ? problemOnOpening.problem : current.problem;
  const { title, advice } = !problem
    ? { title: t("failed.open"), advice: t("failed.open.detail") }
    : reasonOf(problem);
  $("#failed-title").textContent = title;
  $("#failed-detail").textContent = advice;
  $("#failed-name").textContent = current.name;
  $("#failed-retry").hidden = !problemOnOpening && !problem.mayPass;
  const said = !problem ? "" : [problem.title, problem.detail].filter(Boolean).join(": ");
  $("#failed-more").hidden = !said;
  if ($("#failed-said").textContent !== said) $("#failed-more").open = false;
  $("#failed-said").textContent = said;
}

function showNote() {
  const empty = Boolean(work && current.result?.empty);
  const blind = Boolean(work) && !work.original;
  const note = $("#note");
  note.hidden = !(empty || blind) || noted.has(current);
  const other = empty ? models.other(current.result.model) : "";
  $("#note-other").hidden = !other || current.nobody.includes(other);
  $("#note-other").dataset.model = other;
  $("#note-other").textContent = t("stage.empty.other", { name: other });
  if (empty || blind) {
    note.dataset.about = empty ? "nobody" : "preview";
    $("#note-title").textContent = empty ? t("stage.empty.title") : current.name;
    $("#note-text").textContent = t(empty ? "stage.empty.text" : "stage.nopreview");
  }
  stage.keepFree(note.hidden ? 0 : note.offsetTop + note.offsetHeight);
}

/** Cuts the open picture out with another model. */
function tryModel(name) {
  noted.delete(current);
  album.again(current, name);
  tell(t("model.again", { name }));
}

$("#note-other").addEventListener("click", ({ currentTarget }) => {
  strip.focus(current);
  tryModel(currentTarget.dataset.model);
});

models.addEventListener("choose", ({ detail: name }) => {
  if (current && (current.model || models.standard) !== name) tryModel(name);
});

$("#note-close").addEventListener("click", () => {
  noted.add(current);
  showNote();
  $("#canvas").focus();
});

$("#failed-retry").addEventListener("click", () => {
  if (problemOnOpening) open(current);
  else if (current.problem.kind === "key") album.resume();
  else album.retry(current);
  strip.focus(current);
});
$("#failed-remove").addEventListener("click", () => album.remove(current));

strip.addEventListener("open", ({ detail }) => detail !== current && open(detail));
strip.addEventListener("remove", ({ detail }) => album.remove(detail));

// ---- the album's news ----

album.addEventListener("change", ({ detail: entry }) => {
  announce(entry);
  if (WRITTEN.has(entry.state) && written.get(entry) !== entry.state) shelf.keep(entry);
  written.set(entry, entry.state);
  if (entry !== current) return;
  // Also where another model begins with it anew.
  if ((entry.state === "done") !== Boolean(work)) open(entry);
  else showState();
});

// What is on its way is kept as waiting: it is sent again after a reload.
const WRITTEN = new Set(["waiting", "done", "failed"]);
const written = new WeakMap();
const announced = new Map();

/** Says each change of state once; with many pictures only failures and the end. */
function announce(entry) {
  if (announced.get(entry) === entry.state) return;
  announced.set(entry, entry.state);
  const total = album.entries.length;
  const failed = album.count("failed");
  const { name } = entry;
  if (entry.state === "failed") say(t("say.failed", { name, reason: reasonOf(entry.problem).title }));
  else if (entry.state === "busy") say(t("say.busy", { seconds: entry.waitSeconds }));
  else if (entry.state === "done" && total === 1) say(t(entry.result.empty ? "say.empty" : "say.done", { name }));
  const done = album.count("done");
  if (total > 1 && done + failed === total) say(t(failed ? "say.finished.some" : "say.finished", { total, done, failed }));
}

album.addEventListener("removed", ({ detail: entry }) => {
  shelf.remove(entry);
  showStudio();
  if (entry !== current) return;
  const next = album.entries[0] ?? null;
  open(next);
  if (next) strip.focus(next);
  else $("#choose").focus();
});

startClearDialog($("#clear"), $("#clear-dialog"), shelf, () => {
  album.clear();
  shelf.clear();
  forgetRecents();
  tell(t("clear.done"));
});

let told = false;

shelf.addEventListener("change", () => {
  const { state } = shelf;
  // For whoever looks from outside.
  document.body.dataset.kept = state;
  $("#kept").textContent = t(state === "off" ? "kept.off.fact" : "kept.fact");
  if (state === "some" && !told) tell(t("kept.full"));
  told ||= state === "some";
});

album.addEventListener("key", () => keys.ask());

// ---- tools ----

startTabs($(".tabs"), (id) => {
  stage.setMode(MODES[id]);
  $("#panes").scrollTop = 0;
  compare.place();
  cropper.place();
  touch.show();
  quality.place();
});

// ---- one way back ----

function showHistory() {
  const history = work && historyOf(work.entry);
  $("#undo").disabled = !history?.canUndo;
  $("#redo").disabled = !history?.canRedo;
}

/** @param {"undo" | "redo"} which */
function step(which) {
  if (!work || isLive || work.brush.isPainting || stage.isBusy) return;
  const { entry } = work;
  const history = historyOf(entry);
  if (!(which === "undo" ? history.canUndo : history.canRedo)) return;
  const before = entry.strokes.length;
  history.step(which);
  say(t(`say.${which}`));
  const strokes = entry.strokes.length - before;
  const isTurned = work.base !== baseOf(entry.look);
  if (!isTurned && strokes === -1 && work.brush.canUndo) work.undo();
  else if (!isTurned && strokes === 1 && work.brush.canRedo) work.redo();
  else if (!isTurned && strokes !== 0) work.base = "";
  lookChanged();
  showPanes();
}

for (const which of ["undo", "redo"]) $(`#${which}`).addEventListener("click", () => step(which));
addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || (key !== "z" && key !== "y")) return;
  if (document.querySelector("dialog[open]") || event.target.matches("input[type=text], input[type=password]")) return;
  event.preventDefault();
  step(key === "y" || event.shiftKey ? "redo" : "undo");
});

finisher.addEventListener("change", () => {
  setBusy(stage.isBusy);
  // For whoever looks from outside.
  $("#stage").dataset.finish = finisher.state;
  $("#finishing").hidden = finisher.state !== "making";
  if (finisher.state === "failed") tell(reasonOf(finisher.problem).title);
  compare.place();
});

startTakeaway({ copy: $("#copy"), drag: $("#drag-out") }, () =>
  current?.state === "done" ? { entry: current, format: saver.format, open: work } : null,
);

const views = startViews({ pictures: $("#to-pictures"), live: $("#to-live") }, (view) => {
  isLive = view === "live";
  if (!isLive) live.stop();
  const pane = $("#pane-background");
  if (isLive) $("#live-look").prepend(pane);
  else $("#panes").prepend(pane);
  pane.hidden = !isLive && $("#tab-background").getAttribute("aria-selected") !== "true";
  showStudio();
  models.hide(isLive);
  showBackground();
});

stage.addEventListener("stroke", pixelsChanged);
stage.addEventListener("view", showZoom);

function showZoom() {
  const percent = Math.round(stage.view.scale * 100);
  $("#zoom-value").textContent = `${percent}%`;
  $("#zoom-value").setAttribute("aria-label", t("stage.zoom.value", { percent }));
}

$("#zoom-in").addEventListener("click", () => stage.zoomStep(1));
$("#zoom-out").addEventListener("click", () => stage.zoomStep(-1));
$("#zoom-fit").addEventListener("click", () => stage.fit());
$("#zoom-value").addEventListener("click", () => stage.zoomTo(1));

$("#use-all").addEventListener("click", () => {
  for (const entry of album.entries) {
    if (entry === current) continue;
    historyOf(entry);
    entry.look = copyFor(current.look, entry.look);
    historyOf(entry).record();
    shelf.keep(entry);
  }
  tell(t("look.all.done", { count: album.entries.length }));
  saver.show();
});

// ---- the page ----

setLanguage(preferredLanguage());
startTheme($("#theme"), () => stage.themeChanged());
startHero($(".hero-show"), $("#hero-split"));
startMore($("#panes"), $(".panel"));
$("#language").addEventListener("click", () =>
  setLanguage(currentLanguage() === "en" ? "zh" : "en", { remember: true }),
);
onLanguage(() => {
  showZoom();
  showState();
  $("#kept").textContent = t(shelf.state === "off" ? "kept.off.fact" : "kept.fact");
});
models.ask().then(() => showState());
shop.ask();
takeBack();

addEventListener("beforeunload", (event) => {
  // Strokes are work that a slip of the hand should not lose.
  if (album.entries.some((entry) => entry.strokes.length)) event.preventDefault();
});
