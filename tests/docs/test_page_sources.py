"""The documentation pages' own files: safe under a strict policy, reachable, accessible."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "todo_api" / "docs" / "static"
PAGES = sorted(path.name for path in STATIC.glob("*.html"))
OWN = sorted(path.name for path in STATIC.iterdir() if path.suffix in {".html", ".css", ".js"})


class Elements(HTMLParser):
    """The start tags of a page with their attributes, and the text of each script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self.feed((STATIC / page).read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and data.strip():
            self.inline.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_there_are_two_pages() -> None:
    assert PAGES == ["docs.html", "redoc.html"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_inline_script_style_or_handler(page: str) -> None:
    elements = Elements(page)
    assert elements.inline == []
    assert elements.named("style") == []
    for _, attributes in elements.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_files_that_ship_with_it(page: str) -> None:
    elements = Elements(page)
    loaded = [one.get("src") for one in elements.named("script")]
    loaded += [one.get("href") for one in elements.named("link")]
    assert len(loaded) > 3
    for address in loaded:
        assert address is not None
        folder, _, name = address.partition("/")
        assert folder == "static"
        assert (STATIC / name).is_file()


@pytest.mark.parametrize("name", OWN)
def test_no_file_of_ours_names_another_host(name: str) -> None:
    assert re.findall(r"(?:https?:)?//[\w-]+\.", (STATIC / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_titled_in_a_language_and_fits_a_phone(page: str) -> None:
    elements = Elements(page)
    text = (STATIC / page).read_text(encoding="utf-8")
    assert "<title>Todo API</title>" in text
    assert elements.named("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in elements.named(
        "meta"
    )
    assert elements.named("main") or page == "docs.html"  # Swagger UI makes its own
    assert elements.named("noscript") == [{}]
