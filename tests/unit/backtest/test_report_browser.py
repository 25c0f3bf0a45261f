"""The report in a real browser, from the file system: light, dark, without scripts, on paper."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from report_pages import played

from browser import chromium, tab

_CHARTS = ("equity", "ahead", "drawdown", "drift", "tracking", "costs", "turnover")
_BOXES = """JSON.stringify([...document.querySelectorAll('figure > svg')].map(each => {
    const box = each.getBoundingClientRect();
    return [box.width, box.height, each.querySelectorAll('path').length] }))"""


@pytest.fixture
def address(tmp_path: Path) -> str:
    chromium()
    file = tmp_path / "report.html"
    file.write_text(import_module("trimtab.report.page").page_of(*played()).text(), encoding="utf-8")
    return file.as_uri()


@pytest.mark.parametrize(("scheme", "scripts"), [("light", True), ("dark", True), ("light", False)])
async def test_it_opens_and_shows_everything(address: str, scheme: str, *, scripts: bool) -> None:
    async with tab() as page:
        await page.open(address, scheme, scripts=scripts)
        found = json.loads(await page.value(_BOXES))
        assert len(found) == len(_CHARTS)
        assert all(width > 800 and height > 60 and paths > 5 for width, height, paths in found)
        paper = await page.value("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(18, 22, 28)") == (scheme == "dark")
        # The topmost thing at a mark's middle is the mark, and it has a title that the browser shows on hover.
        told = await page.value("""(() => {
            const use = document.querySelector('svg[aria-label^="Drift"] use > title').parentElement;
            use.scrollIntoView({block: 'center'}); const box = use.getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return top.querySelector('title') ? top.querySelector('title').textContent : top.outerHTML })()""")
        assert "threshold_reached" in told
        assert "wanted, drift that counts" in told
        spots = await page.value("document.querySelectorAll('.spots rect > title').length")
        assert spots > 500
        wide = await page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        assert len(await page.picture()) > 20_000
        assert page.said == []
        assert page.asked == [address]


async def test_it_prints(address: str) -> None:
    async with tab() as page:
        await page.open(address, "dark")
        pdf = await page.pdf()
        assert pdf.startswith(b"%PDF-")
        assert len(pdf) > 30_000
        await page.call("Emulation.setEmulatedMedia", media="print")
        assert await page.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.said == []
