"""The playground's page in a real browser: hands, keys, phones, dark themes, speed."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.playground_page import AXE, browser, keep, settle, show, site
from PIL import Image

from lrcourse.playground import Setting, simulate, verdict
from lrcourse.playground.descent import OPTIMIZERS
from lrcourse.playground.places import PLACES
from lrcourse.playground.sentences import figure

pytestmark = pytest.mark.slow
PHONE = {"viewport": {"width": 375, "height": 780}, "device_scale_factor": 2, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
# A phone or a busy machine may be slower; on two idle cores it is far quicker, see the print.
SLOWEST = 40  # milliseconds for a frame, median


def saved(page):
    """The settings as the page last sent them to its model."""
    return page.evaluate("window.saved")


def said(page):
    settle(page)
    return page.locator(".lrp-said").inner_text()


def control(page, name):
    return page.locator(f"[data-setting='{name}']")


def picture(page, selector=".lrp-surface canvas"):
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB"))


@pytest.mark.parametrize("surface", PLACES)
def test_every_surface_says_and_shows_what_python_computes(show, surface):
    page = show({"surface": surface}, **DESKTOP)
    run = simulate(Setting(surface))
    assert said(page) == verdict(run)
    label = page.locator(".lrp-surface canvas").get_attribute("aria-label")
    assert f"to x {figure(run.path[-1, 0])}, y {figure(run.path[-1, 1])}" in label
    losses, rates = page.locator(".lrp-charts canvas").all()
    assert f"to {figure(run.losses[-1])} after 100 updates" in losses.get_attribute("aria-label")
    assert f"highest {figure(run.lr.max())}" in rates.get_attribute("aria-label")
    assert page.complaints == []
    keep(page, surface)


def test_the_path_is_drawn_where_it_runs(show):
    page = show({"surface": "bowl", "peak_lr": 0.05}, **DESKTOP)
    image = picture(page).astype(int)
    height, width, _ = image.shape
    for x, y in simulate(Setting("bowl", peak_lr=0.05)).path[2:12]:
        row, column = round((2 - y) / 4 * height), round((x + 3) / 6 * width)
        near = image[row - 3 : row + 4, column - 3 : column + 4].reshape(-1, 3)
        assert (np.abs(near - [0xB3, 0x40, 0x00]).sum(axis=1) < 60).any(), (x, y)


def test_a_slider_moves_the_path_and_the_model(show):
    page = show({}, **DESKTOP)
    before = picture(page)
    slider = control(page, "peak_lr")
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    rate = 10 ** (np.log10(0.09).round(2) + 0.06)
    assert said(page) == verdict(simulate(Setting(peak_lr=float(f"{rate:.3g}"))))
    assert saved(page)["peak_lr"] == pytest.approx(rate, rel=0.01)
    assert "Diverges" in said(page) or "Climbs" in said(page)
    assert (picture(page) != before).any()
    assert slider.get_attribute("aria-valuetext") == figure(saved(page)["peak_lr"])
    page.keyboard.press("End")
    settle(page)
    assert saved(page)["peak_lr"] == 10


@pytest.mark.parametrize(
    "name, low, high",
    [
        ("momentum", 0, 0.99),
        ("updates", 10, 2000),
        ("noise", 0, 3),
        ("warmup", 0, 2000),
    ],
)
def test_every_slider_reaches_its_ends(show, name, low, high):
    page = show({"optimizer": "adam", "updates": 2000, "peak_lr": 0.01}, **DESKTOP)
    control(page, name).focus()
    for key, end in (("Home", low), ("End", high)):
        page.keyboard.press("ArrowLeft" if key == "End" else "ArrowRight")
        page.keyboard.press(key)
        settle(page)
        assert saved(page)[name] == end


def test_choices(show):
    page = show({}, **DESKTOP)
    control(page, "optimizer").select_option("nesterov")
    control(page, "schedule").select_option("triangular")
    expected = Setting(optimizer="nesterov", schedule="triangular")
    assert said(page) == verdict(simulate(expected))
    control(page, "surface").select_option("rosenbrock")
    expected = Setting("rosenbrock", optimizer="nesterov", schedule="triangular")
    assert said(page) == verdict(simulate(expected))
    assert saved(page)["start"] == [-1.2, 1] and saved(page)["peak_lr"] == 0.001


def test_momentum_is_off_where_it_is_not_used(show):
    page = show({}, **DESKTOP)
    for name in OPTIMIZERS:
        control(page, "optimizer").select_option(name)
        settle(page)
        used = name in ("momentum", "nesterov", "adam")
        assert control(page, "momentum").is_enabled() == used


def test_the_start_is_dragged(show):
    page = show({"surface": "bowl"}, **DESKTOP)
    box = page.locator(".lrp-surface").bounding_box()
    ring = page.locator(".lrp-handle").bounding_box()
    page.mouse.move(ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    page.mouse.down()
    for share in (0.5, 0.75):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.75 * box["height"])
    page.mouse.up()
    settle(page)
    x, y = saved(page)["start"]
    assert (x, y) == pytest.approx((1.5, -1), abs=0.02)
    assert said(page) == verdict(simulate(Setting("bowl", (x, y))))
    page.mouse.move(box["x"] + 10, box["y"] + 10)  # the button is up: nothing follows
    settle(page)
    assert saved(page)["start"] == [x, y]
    assert control(page, "start-x").input_value() == str(x)


def test_the_start_is_moved_by_keys_and_numbers(show):
    page = show({"surface": "bowl"}, **DESKTOP)
    page.locator(".lrp-handle").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    settle(page)
    assert saved(page)["start"] == pytest.approx([-2.4 + 0.1 - 0.3, 1.5 - 0.05])
    assert "x -2.6, y 1.45" in page.locator(".lrp-handle").get_attribute("aria-label")
    control(page, "start-y").fill("-0.5")
    settle(page)
    assert saved(page)["start"] == pytest.approx([-2.6, -0.5])
    control(page, "start-y").fill("77")
    settle(page)
    assert saved(page)["start"] == pytest.approx([-2.6, -0.5])


def test_arrows_do_not_leave_the_playground(show):
    """In mdBook and in JupyterLab arrow keys turn pages and choose cells."""
    page = show({}, **DESKTOP)
    page.evaluate("addEventListener('keydown', (event) => (window.leaked = event.key))")
    for name in ("peak_lr", "start"):
        page.locator(f"input[data-setting='{name}'], button[data-setting='{name}']").focus()
        page.keyboard.press("ArrowRight")
    assert page.evaluate("window.leaked") is None


def test_changes_from_the_model_are_shown(show):
    page = show({}, **DESKTOP)
    page.evaluate("model.set('peak_lr', 0.02); model.set('updates', 700)")
    assert said(page) == verdict(simulate(Setting(peak_lr=0.02, updates=700)))
    assert float(control(page, "peak_lr").input_value()) == pytest.approx(-1.7, abs=0.006)
    assert control(page, "updates").input_value() == "700"
    assert saved(page) is None  # it tells nothing back


def test_new_noise_is_another_seed(show):
    page = show({"surface": "noisy-bowl"}, **DESKTOP)
    before = said(page)
    page.get_by_role("button", name="New noise").click()
    assert said(page) == verdict(simulate(Setting("noisy-bowl", seed=1))) != before
    control(page, "surface").select_option("bowl")
    settle(page)
    assert page.get_by_role("button", name="New noise").is_disabled()


def test_playing_the_path_and_reduced_motion(show):
    page = show({}, **DESKTOP)
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(300)
    part = picture(page)
    assert page.get_by_role("button", name="Stop").is_visible()
    page.get_by_role("button", name="Play").wait_for()  # it ends by itself
    settle(page)
    assert (picture(page) != part).any()
    still = show({}, reduced_motion="reduce", **DESKTOP)
    assert still.get_by_role("button", name="Play").count() == 0
    assert said(still) == verdict(simulate(Setting()))


@pytest.mark.parametrize("surface", PLACES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone(show, theme, surface):
    page = show({"surface": surface, "updates": 400}, color_scheme=theme, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.locator(".lrp").get_attribute("data-theme") == theme
    ground = page.evaluate("getComputedStyle(document.querySelector('.lrp')).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if theme == "light" else "rgb(22, 24, 28)")
    inside = page.locator(".lrp-body").bounding_box()
    for each in page.locator(".lrp :is(select, input, .lrp-button, canvas, label)").all():
        box = each.bounding_box()
        assert box["x"] >= inside["x"] and box["width"] > 30
        assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 0.5
    surface_box, loss_box = (page.locator("canvas").nth(k).bounding_box() for k in (0, 1))
    assert loss_box["y"] >= surface_box["y"] + surface_box["height"]
    keep(page, f"phone-{surface}-{theme}")


def test_a_finger_drags_the_start(show):
    page = show({"surface": "bowl"}, **PHONE)
    box = page.locator(".lrp-surface").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    settle(page)
    assert saved(page)["start"] == pytest.approx([-1.5, 0], abs=0.03)


@pytest.mark.parametrize(
    "prepare, theme",
    [
        ("document.documentElement.className = 'navy'", "dark"),
        ("document.documentElement.className = 'rust'", "light"),
        ("document.body.dataset.jpThemeLight = 'false'", "dark"),
        ("document.body.dataset.jpThemeLight = 'true'", "light"),
    ],
)
@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_is_that_of_the_page_around(show, prepare, theme, system):
    page = show({"peak_lr": 0.11}, color_scheme=system, **DESKTOP)
    page.evaluate(prepare)
    settle(page)
    assert page.locator(".lrp").get_attribute("data-theme") == theme
    bright = picture(page).mean()
    assert bright < 90 if theme == "dark" else bright > 150
    keep(page, f"diverging-{re.findall(r'[a-z]+', prepare)[-1]}-{system}")


@pytest.mark.parametrize("theme", ["light", "navy"])
@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(show, theme, options):
    if not Path(AXE).is_file():
        pytest.skip("axe-core is not installed: npm install --prefix build/axe axe-core@4")
    page = show({"optimizer": "momentum", "peak_lr": 0.25}, **options)
    page.evaluate(f"document.documentElement.className = '{theme}'")
    settle(page)
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


def test_the_focus_is_seen_everywhere(show):
    page = show({"optimizer": "momentum", "surface": "noisy-bowl"}, **DESKTOP)
    visited = []
    for _ in range(13):
        page.keyboard.press("Tab")
        name, outline = page.evaluate("""() => {
          const { dataset, textContent } = document.activeElement;
          const { outlineStyle } = getComputedStyle(document.activeElement);
          return [dataset.setting ?? textContent, outlineStyle];
        }""")
        visited.append(name)
        assert outline == "solid", visited
    assert visited == [
        *("start", "surface", "optimizer", "schedule", "peak_lr", "momentum", "updates", "warmup"),
        *("noise", "start-x", "start-y", "Play", "New noise"),
    ]


def test_leaving_takes_everything_back(show):
    page = show({}, **DESKTOP)
    page.evaluate("leave()")
    assert page.locator(".lrp").count() == 0
    assert page.evaluate("Object.values(heard).flat().length") == 0
    page.evaluate("model.set('peak_lr', 0.5); document.documentElement.className = 'navy'")
    settle(page)
    assert page.complaints == []


def test_two_of_them_in_a_page_share_no_names(show):
    page = show({}, **DESKTOP)
    page.evaluate("""async () => {
      const { default: playground } = await import("./page.js");
      const el = document.body.appendChild(document.createElement("div"));
      playground.render({ el, model: { get: () => undefined, set() {}, save_changes() {} } });
    }""")
    settle(page)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids)) > 20


def test_fifty_frames_a_second_with_two_thousand_updates(show, capsys):
    """A drag in circles, a move in every frame; each move simulates and draws all updates."""
    state = {"surface": "noisy-bowl", "optimizer": "adam", "peak_lr": 0.1, "updates": 2000}
    page = show(state, **DESKTOP)
    intervals, work = page.evaluate("""async () => {
      const plane = document.querySelector(".lrp-surface");
      const box = plane.getBoundingClientRect();
      const send = (type, turn) => plane.dispatchEvent(new PointerEvent(type, { bubbles: true,
        pointerId: 1, clientX: box.left + box.width * (0.5 + 0.4 * Math.cos(turn)),
        clientY: box.top + box.height * (0.5 + 0.4 * Math.sin(turn)) }));
      plane.setPointerCapture = () => {};
      const frame = () => new Promise((done) => requestAnimationFrame(done));
      send("pointerdown", 0);
      const intervals = [], work = [];
      let last = await frame();
      for (let k = 1; k <= 150; k++) {
        send("pointermove", k / 20); // the drawing is now asked for, and comes before our frame
        const begun = performance.now();
        const now = await frame();
        work.push(performance.now() - Math.max(now, begun));
        intervals.push(now - last);
        last = now;
      }
      send("pointerup", 0);
      return [intervals, work];
    }""")
    settle(page)
    assert saved(page)["start"] != [-2.4, 1.5]
    middle, late = np.median(intervals), np.percentile(intervals, 95)
    with capsys.disabled():
        print(
            f"\n  playground, 2,000 updates: {1000 / middle:.0f} frames/s (median {middle:.1f} ms, "
            f"95 % below {late:.1f} ms), {np.median(work):.1f} ms of it work"
        )
    assert middle < SLOWEST
