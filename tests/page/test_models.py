"""The choice of a model, and the offer of another where one finds nobody."""

from __future__ import annotations

from playwright.sync_api import Response, Route, expect
from studio import GREEN, SIZE, Studio, decoded, portrait


def model_of(answer: Response) -> str | None:
    """Which model made an answer."""
    return answer.header_value("X-Bshm-Model")


def test_the_servers_models_can_be_chosen_for_the_open_picture_and_the_next(studio: Studio) -> None:
    choice = studio.get("#model")
    expect(choice.locator("option")).to_have_text(["bshm: best", "bshm-lite: quick", "bshm-live: coarse"])
    expect(choice).to_have_value("bshm")
    with studio.page.expect_response("**/matte") as plain:
        studio.add_and_wait(data=portrait(colour=GREEN))
    assert model_of(plain.value) == "bshm"
    with studio.page.expect_response("**/matte") as chosen:
        choice.select_option("bshm-lite")
    assert model_of(chosen.value) == "bshm-lite"
    expect(studio.canvas).to_be_visible()
    assert decoded(studio.download()[1])[100, 100, 3] == 255
    with studio.page.expect_response("**/matte") as later:
        studio.add(("next.png", portrait()))
    assert model_of(later.value) == "bshm-lite"
    # Back and forth between pictures of different models.
    studio.get("#model").select_option("bshm")
    expect(studio.thumbs.nth(1)).to_have_attribute("data-state", "done")
    studio.open(0)
    expect(choice).to_have_value("bshm-lite")
    studio.open(1)
    expect(choice).to_have_value("bshm")


def test_a_model_may_be_chosen_while_the_cut_out_of_another_is_being_opened(studio: Studio) -> None:
    studio.page.evaluate(
        """() => {
          const decode = window.createImageBitmap;
          window.createImageBitmap = async (...given) => {
            await new Promise((go) => setTimeout(go, 400));
            return decode.call(window, ...given);
          };
        }"""
    )
    studio.add(("portrait.png", portrait(colour=GREEN)))
    expect(studio.thumbs.first).to_have_attribute("data-state", "done")

    def late(route: Route) -> None:
        studio.page.wait_for_timeout(1500)
        route.continue_()

    studio.page.route("**/matte", late)
    with studio.page.expect_response("**/matte") as chosen:
        studio.get("#model").select_option("bshm-lite")
    assert model_of(chosen.value) == "bshm-lite"
    expect(studio.canvas).to_be_visible()
    assert decoded(studio.download()[1])[100, 100, 3] == 255


def test_where_one_model_finds_nobody_the_other_is_offered_once(studio: Studio) -> None:
    studio.add_and_wait(data=portrait(colour=GREEN))
    offer = studio.get("#note-other")
    expect(offer).to_have_text("Try bshm-lite")
    offer.click()
    expect(studio.get("#say")).to_have_text("portrait.png is cut out.")
    expect(studio.get("#note")).to_be_hidden()
    expect(studio.get("#model")).to_have_value("bshm-lite")
    pixels = decoded(studio.download()[1])
    assert pixels.shape == (SIZE[1], SIZE[0], 4)
    assert tuple(pixels[100, 100]) == (*GREEN, 255)


def test_where_both_find_nobody_neither_is_offered_again(studio: Studio) -> None:
    studio.add_and_wait("meadow.png", portrait(person=False))
    with studio.page.expect_response("**/matte"):
        studio.get("#note-other").click()
    expect(studio.canvas).to_be_visible()
    expect(studio.get("#note-close")).to_be_visible()
    expect(studio.get("#note-other")).to_be_hidden()


def test_strokes_and_background_stay_when_another_model_cuts_out(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "colour")
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.drag((100, 100), (110, 100))
    studio.get("#model").select_option("bshm-lite")
    expect(studio.canvas).to_be_visible()
    expect(studio.get("#undo")).to_be_enabled()
    assert tuple(decoded(studio.download()[1])[100, 105]) == (255, 255, 255)


def test_a_server_without_a_list_of_models_offers_no_choice(failing_studio: Studio) -> None:
    failing_studio.add_and_wait("meadow.png", portrait(person=False))
    expect(failing_studio.get("#note")).to_be_visible()
    expect(failing_studio.get("#model-field")).to_be_hidden()
    expect(failing_studio.get("#note-other")).to_be_hidden()
