"""The page's work: compare, new background, touch up, crop, files."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from PIL import Image
from playwright.sync_api import expect
from studio import GREY, PERSON, RED, SIZE, Studio, decoded, portrait

INSIDE = (100, 100)
OUTSIDE = (20, 20)
LEFT_OF_MIDDLE = (70, 100)
# Of the checkerboard in the light theme.
SQUARES = {(255, 255, 255, 255), (230, 228, 225, 255)}


def test_a_picture_is_cut_out_and_lies_on_a_checkerboard(studio: Studio) -> None:
    studio.add_and_wait()
    studio.plain()
    assert studio.pixel(*INSIDE) == (*RED, 255)
    assert studio.pixel(*OUTSIDE) in SQUARES


def test_at_100_percent_and_beyond_a_pixel_is_a_square_of_one_colour(studio: Studio) -> None:
    studio.add_and_wait()
    studio.plain()
    for _ in range(2):
        studio.get("#zoom-in").click()
    scale, left, top = studio.view()
    assert scale == int(scale) > 1
    assert left == int(left)
    x, y = PERSON[0] + 3, 100
    corner = [int(x * scale + left), int(y * scale + top), int(scale)]
    read = "(canvas, [x, y, n]) => [...canvas.getContext('2d').getImageData(x, y, n, n).data]"
    square = np.array(studio.canvas.evaluate(read, corner)).reshape(-1, 4)
    assert (square == square[0]).all()


def test_the_zoom_button_goes_to_actual_size_and_fit_comes_back(studio: Studio) -> None:
    studio.add_and_wait()
    fitted = studio.view()
    studio.get("#zoom-value").click()
    assert studio.view()[0] == 1
    studio.get("#zoom-fit").click()
    assert studio.view() == fitted


def test_the_wheel_zooms_about_the_pointer(studio: Studio) -> None:
    studio.add_and_wait()
    studio.page.mouse.move(*studio.point(*INSIDE))
    before = studio.point(*INSIDE)
    studio.page.mouse.wheel(0, -240)
    studio.page.wait_for_timeout(100)
    assert studio.view()[0] > 1.2
    # Half a pixel of the picture and the rounding to whole device pixels.
    assert np.allclose(studio.point(*INSIDE), before, atol=4)


def test_dragging_pans(studio: Studio) -> None:
    studio.add_and_wait()
    studio.plain()
    _, x, y = studio.view()
    studio.drag(INSIDE, (INSIDE[0] + 10, INSIDE[1] + 5))
    scale, moved_x, moved_y = studio.view()
    # Each step lands on a whole pixel.
    assert np.allclose([moved_x - x, moved_y - y], [10 * scale, 5 * scale], atol=25)
    assert moved_x > x


def test_the_divider_moves_by_pointer_and_shows_the_original_left_of_it(studio: Studio) -> None:
    studio.add_and_wait()
    assert studio.pixel(*OUTSIDE) == (*GREY, 255)
    assert studio.pixel(SIZE[0] - 20, 20) in SQUARES
    knob = studio.get(".knob").bounding_box()
    assert knob is not None
    studio.page.mouse.move(knob["x"] + 22, knob["y"] + 22)
    studio.page.mouse.down()
    studio.page.mouse.move(*studio.point(SIZE[0] - 1, 80), steps=5)
    studio.page.mouse.up()
    assert studio.pixel(SIZE[0] - 20, 20) == (*GREY, 255)
    assert int(studio.get("#divider").get_attribute("aria-valuenow") or 0) > 95


def test_the_divider_moves_by_keys(studio: Studio) -> None:
    studio.add_and_wait()
    divider = studio.get("#divider")
    divider.focus()
    values = []
    for key in ("ArrowLeft", "ArrowRight", "PageUp", "End", "Home"):
        studio.page.keyboard.press(key)
        values.append(int(divider.get_attribute("aria-valuenow") or -1))
    assert values == [48, 50, 60, 100, 0]
    assert studio.pixel(*OUTSIDE) in SQUARES
    assert divider.get_attribute("aria-valuetext") == "0 percent original"


def test_a_colour_lies_behind_the_people_on_the_stage_and_in_the_file(studio: Studio) -> None:
    studio.add_and_wait()
    studio.plain()
    studio.choose("kind", "colour")
    studio.get("#colours button[aria-label='ID photo blue']").click()
    assert studio.pixel(*OUTSIDE) == (0x43, 0x8E, 0xDB, 255)
    assert studio.pixel(*INSIDE) == (*RED, 255)
    pixels = decoded(studio.download()[1])
    assert pixels.shape == (SIZE[1], SIZE[0], 3)
    assert tuple(pixels[20, 20]) == (0x43, 0x8E, 0xDB)
    assert tuple(pixels[100, 100]) == RED


def test_the_file_is_alpha_times_foreground_and_the_rest_background_rounded_once(studio: Studio) -> None:
    studio.add_and_wait(data=portrait(soft=3))
    cutout = decoded(studio.download()[1]).astype(np.float64)
    studio.choose("kind", "colour")
    studio.get("#own-colour").fill("#204060")
    alpha = cutout[..., 3:] / 255
    expected = alpha * cutout[..., :3] + (1 - alpha) * np.array([0x20, 0x40, 0x60])
    # Halves may round to either side.
    assert np.abs(decoded(studio.download()[1]) - expected).max() <= 0.5 + 1e-9


def test_a_gradient_runs_from_one_colour_to_the_other(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "gradient")
    studio.get("#gradient-from").fill("#000000")
    studio.get("#gradient-to").fill("#ffffff")
    studio.set_range("#angle", 90)
    row = decoded(studio.download()[1])[10, :, 0].astype(int)
    assert row[0] <= 2
    assert row[-1] >= 253
    assert (np.diff(row) >= 0).all()


def test_a_picture_covers_the_frame_behind_the_people(studio: Studio) -> None:
    studio.add_and_wait()
    behind = io.BytesIO()
    Image.new("RGB", (30, 90), (10, 200, 90)).save(behind, "PNG")
    with studio.page.expect_file_chooser() as chooser:
        studio.choose("kind", "picture")
    chooser.value.set_files({"name": "meadow.png", "mimeType": "image/png", "buffer": behind.getvalue()})
    expect(studio.get("#backdrop-name")).to_have_text("meadow.png")
    pixels = decoded(studio.download()[1])
    assert np.abs(pixels[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int) - (10, 200, 90)).max() <= 1


def test_a_blur_holds_nothing_of_the_people(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "blur")
    studio.set_range("#blur", 8)
    pixels = decoded(studio.download()[1]).astype(int)
    beside = pixels[100, PERSON[0] - 8]
    # The room is one grey: blurred without the red of the people it stays that grey.
    assert np.abs(beside - GREY).max() <= 3


def test_erase_makes_transparent_and_undo_and_redo_go_back_and_forth(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.set_range("#softness", 0)
    assert studio.get("#undo").is_disabled()
    studio.drag(INSIDE, (110, 100))
    assert studio.pixel(*INSIDE) in SQUARES
    studio.get("#undo").click()
    assert studio.pixel(*INSIDE) == (*RED, 255)
    assert studio.get("#undo").is_disabled()
    studio.page.keyboard.press("Control+Shift+z")
    assert studio.pixel(*INSIDE) in SQUARES
    alpha = decoded(studio.download()[1])[..., 3]
    assert alpha[100, 100] == 0
    assert alpha[60, 100] == 255


def test_keep_brings_the_originals_pixels_back(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("touch")
    studio.set_range("#softness", 0)
    studio.drag(OUTSIDE, (30, 20))
    assert studio.pixel(*OUTSIDE) == (*GREY, 255)
    pixels = decoded(studio.download()[1])
    assert tuple(pixels[20, 20]) == (*GREY, 255)
    assert pixels[80, 20, 3] == 0


def test_a_soft_stroke_does_not_add_up_where_it_crosses_itself(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("touch")
    studio.set_range("#softness", 100)
    studio.drag(OUTSIDE, (24, 20))
    once = decoded(studio.download()[1])[..., 3].astype(int)
    studio.get("#undo").click()
    studio.drag(OUTSIDE, (24, 20), OUTSIDE, (24, 20), OUTSIDE)
    # The pointer's steps differ by a fraction of a pixel.
    assert np.abs(decoded(studio.download()[1])[..., 3].astype(int) - once).max() <= 6


def test_what_no_stroke_touched_keeps_the_servers_pixels_exactly(studio: Studio) -> None:
    studio.add_and_wait(data=portrait(soft=3))
    server = decoded(studio.download()[1])
    assert ((server[..., 3] > 0) & (server[..., 3] < 255)).any()
    studio.tool("touch")
    studio.set_range("#size", 10)
    studio.drag((10, 140), (12, 140))
    edited = decoded(studio.download()[1])
    changed = (edited != server).any(axis=2)
    assert changed.any()
    changed[125:, :30] = False
    assert not changed.any()


def test_the_brush_works_by_keys(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.canvas.focus()
    for key in ("ArrowRight", "Space", "ArrowDown", "ArrowDown", "Space"):
        studio.page.keyboard.press(key)
    expect(studio.get("#undo")).to_be_enabled()
    assert (decoded(studio.download()[1])[60:120, 90:120, 3] == 0).any()


def test_strokes_are_there_again_after_another_picture_was_open(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.drag(INSIDE, (110, 100))
    first = studio.download()[1]
    studio.add_and_wait("other.png")
    expect(studio.thumbs.nth(1).locator("button").first).to_have_attribute("aria-current", "true")
    studio.thumbs.nth(0).locator("button").first.click()
    expect(studio.get("#undo")).to_be_enabled()
    assert (decoded(studio.download()[1]) == decoded(first)).all()


def test_a_crop_around_the_people_adds_no_room_where_the_picture_cuts_them(studio: Studio) -> None:
    studio.add_and_wait()
    cutout = decoded(studio.download()[1])
    studio.tool("crop")
    studio.choose("crop", "subject")
    studio.set_range("#margin", 10)
    ys, xs = np.nonzero(cutout[..., 3] >= 26)
    margin = 0.1 * max(np.ptp(xs) + 1, np.ptp(ys) + 1)
    cropped = decoded(studio.download()[1])
    top, left = ys.min() - margin, xs.min() - margin
    height, width = cropped.shape[:2]
    # Each edge is rounded to whole pixels.
    assert abs(height - (SIZE[1] - top)) <= 1
    assert abs(width - (np.ptp(xs) + 1 + 2 * margin)) <= 1
    same = cutout[round(top) : round(top) + height, round(left) : round(left) + width]
    assert (cropped == same).all()


def test_shapes_have_their_ratio_and_the_margin_keeps_it(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("crop")
    for name, ratio in (("1:1", 1), ("35:45", 35 / 45), ("16:9", 16 / 9)):
        studio.choose("aspect", name)
        for frame in ("whole", "subject"):
            studio.choose("crop", frame)
            studio.set_range("#margin", 12)
            words = (studio.get("#crop-size").text_content() or "").split()
            width, height = int(words[0]), int(words[2])
            # Width and height are whole pixels.
            assert abs(width / height - ratio) < 1.5 * ratio / height


def test_the_crop_frame_is_drawn_by_its_corners_by_pointer_and_by_keys(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("crop")
    studio.drag((0, 0), (40, 30))
    size = studio.get("#crop-size")
    expect(size).to_have_text("160 × 130 px")
    studio.get("[data-corner=se]").focus()
    scale = studio.view()[0]
    step = max(1, round(4 / scale))
    studio.page.keyboard.press("ArrowLeft")
    studio.page.keyboard.press("ArrowUp")
    expect(size).to_have_text(f"{160 - step} × {130 - step} px")
    assert decoded(studio.download()[1]).shape == (130 - step, 160 - step, 4)
    studio.get("#crop-reset").click()
    expect(size).to_have_text("200 × 160 px")


def test_an_untouched_png_is_the_servers_file_byte_for_byte(studio: Studio) -> None:
    with studio.page.expect_response("**/matte") as answer:
        studio.add_and_wait("my photo.jpeg", portrait(form="JPEG", quality=95))
    expect(studio.get("#save-text")).to_have_text("Exactly as the server made it.")
    name, data = studio.download()
    assert name == "my photo-cutout.png"
    assert data == answer.value.body()


def test_webp_keeps_alpha_and_jpeg_lies_on_white(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("format", "webp")
    name, data = studio.download()
    assert name == "portrait-cutout.webp"
    webp = decoded(data)
    assert webp[100, 100, 3] == 255
    assert webp[20, 20, 3] == 0
    studio.choose("format", "jpeg")
    name, data = studio.download()
    assert name == "portrait-cutout.jpg"
    jpeg = decoded(data)
    # JPEG's own loss on flat colours.
    assert np.abs(jpeg[20, 20].astype(int) - 255).max() <= 2
    assert np.abs(jpeg[100, 100].astype(int) - RED).max() <= 6


def test_all_go_into_one_zip_and_equal_names_do_not_collide(studio: Studio) -> None:
    studio.add(("a.png", portrait()), ("a.jpg", portrait(form="JPEG")))
    expect(studio.get("#save-all")).to_have_text("All 2 as zip")
    name, data = studio.download("#save-all")
    assert name == "cutouts.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a-cutout.png", "a-cutout (2).png"]
        for member in archive.namelist():
            assert decoded(archive.read(member)).shape == (SIZE[1], SIZE[0], 4)


def test_a_background_goes_to_all_pictures_at_a_press(studio: Studio) -> None:
    studio.add(("a.png", portrait()), ("b.png", portrait()))
    expect(studio.canvas).to_be_visible()
    studio.choose("kind", "colour")
    studio.get("#use-all").click()
    expect(studio.get("#save-all")).to_have_text("All 2 as zip")
    with zipfile.ZipFile(io.BytesIO(studio.download("#save-all")[1])) as archive:
        for member in archive.namelist():
            assert tuple(decoded(archive.read(member))[20, 20]) == (255, 255, 255)


def test_a_turned_photo_is_compared_upright(studio: Studio) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    studio.add_and_wait("turned.jpg", portrait(form="JPEG", exif=exif, quality=95))
    expect(studio.get("#divider")).to_be_visible()
    studio.tool("crop")
    expect(studio.get("#crop-size")).to_have_text(f"{SIZE[1]} × {SIZE[0]} px")


def test_a_kind_of_file_that_the_browser_cannot_show_is_cut_out_all_the_same(studio: Studio) -> None:
    studio.add_and_wait("scan.tiff", portrait(form="TIFF"))
    expect(studio.get("#note")).to_contain_text("The cut-out is complete")
    expect(studio.get("#divider")).to_be_hidden()
    expect(studio.get("input[name=kind][value=blur]")).to_be_disabled()
    assert decoded(studio.download()[1])[100, 100, 3] == 255
