"""What the pages cost: written, refreshed, opened; beside what they cost where nothing is remembered.

Run it as `python -m benchmarks.pages` from the project's folder: its states are those of the tests.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import pages_before, pages_opened
from jwstwatch.core.headers import STANDARD_KEYWORDS, describe
from jwstwatch.core.parameters import Parameters
from jwstwatch.demo.pictures import draw, expose
from tests.pages import big, bigsite

PICTURES = ("uncal.jpg", "rate.jpg", "rateints.jpg", "cal.jpg")
TABLED = 500
"""Exposures in the comparison."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--exposures", type=int, nargs="*", default=[500, 20_000])
    parser.add_argument("--sides", type=int, nargs="*", default=[256, 2048], help="pixels of the pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path, help="folder on the disk that is meant")
    options = parser.parse_args()
    warm_up()
    for side in options.sides:
        with tempfile.TemporaryDirectory(dir=options.to) as name:
            compare(Path(name), side, options.rounds)
    for exposures in options.exposures:
        with tempfile.TemporaryDirectory(dir=options.to) as name:
            grow(Path(name), exposures, options.rounds)


def warm_up() -> None:
    """Publish one exposure: what is imported then is not measured."""
    with tempfile.TemporaryDirectory() as name:
        samples = big.Samples(root=Path(name, "data"), by_ending=make_samples(Path(name), 256))
        with bigsite.make_site(Path(name), 1, now=datetime.now(UTC), samples=samples) as site:
            site.publish()


def compare(folder: Path, side: int, rounds: int) -> None:
    """Print what 500 exposures with four thumbnails each cost, beside the work that nothing saves."""
    print(f"\n{TABLED} exposures, {4 * TABLED} pictures of {side} x {side} pixels, headers to be read")
    print(f"{'':34} {'here':>8} {'before':>8}   (seconds)")
    root = folder / "data"
    samples = big.Samples(root=root, by_ending=make_samples(folder, side))
    endings = ("rate.fits", *PICTURES)
    with bigsite.make_site(folder, TABLED, now=datetime.now(UTC), samples=samples, endings=endings) as site:

        def before() -> None:
            pages_before.publish(root, bigsite.FOLDER, heads, PICTURES)

        heads = [big.path_of(number, "rate.fits") for number in range(TABLED)]
        tell("nothing there", timed(site.publish), timed(before))
        again = [timed(before) for _ in range(rounds)]
        due = []
        for _ in range(rounds):
            site.mark_everything_due()
            due.append(timed(site.publish))
        tell("thumbnails there, every part due", statistics.median(due), statistics.median(again))
        one = []
        for number in range(rounds):
            site.add(TABLED + number)
            one.append(timed(site.publish))
        tell("thumbnails there, one new exposure", statistics.median(one), statistics.median(again))
        nothing = [timed(site.publish) for _ in range(rounds)]
        tell("thumbnails there, nothing new", statistics.median(nothing), statistics.median(again))
        for text in site.warnings.texts[:5]:
            print(text)


def grow(folder: Path, exposures: int, rounds: int) -> None:
    """Print what a proposal of so many exposures costs, pictures and headers apart."""
    print(f"\n{exposures} exposures, {len(big.ENDINGS) * exposures} files, headers and pictures apart")
    print(f"{'':20} {'seconds':>8} {'statements':>11} {'written':>8} {'MB':>8}")
    names = describe(frozenset((*STANDARD_KEYWORDS, *Parameters().webpage_fitskeys2table)))
    with bigsite.make_site(
        folder, exposures, now=datetime.now(UTC), names=names, webpage_mkthumbnails=False
    ) as site:
        count(site, "cold")
        count(site, "nothing new")
        for number in range(rounds):
            site.add(exposures + number)
            count(site, "one new exposure", name_files=number == rounds - 1)
        largest = sorted(site.stamps(), key=lambda path: path.stat().st_size)[-4:]
        for path in reversed(largest):
            print(f"    large: {path.relative_to(site.root)}, {path.stat().st_size / 1e6:.2f} MB")
        if executable := shutil.which("chromium"):
            page = site.root / bigsite.FOLDER / "index.html"
            for _ in range(rounds):
                print(pages_opened.open_page(page, executable=executable), flush=True)


def count(site: bigsite.Site, label: str, *, name_files: bool = False) -> None:
    """Publish, and print what that cost."""
    began = time.perf_counter()
    work = site.publish()
    seconds = time.perf_counter() - began - work.looking
    sizes = {path: (site.root / path).stat().st_size for path in work.written}
    written = f"{len(sizes):8} {sum(sizes.values()) / 1e6:8.2f}"
    print(f"{label:20} {seconds:8.3f} {len(work.statements):11} {written}", flush=True)
    if name_files:
        for path, size in sizes.items():
            print(f"    wrote: {path}, {size / 1e3:.1f} kB")


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes; what the bench looks at besides does not count."""
    began = time.perf_counter()
    done = work()
    seconds = time.perf_counter() - began
    return seconds - done.looking if isinstance(done, bigsite.Work) else seconds


def tell(label: str, here: float, before: float) -> None:
    """Print one line."""
    print(f"{label:34} {here:8.3f} {before:8.3f}   {before / here:.1f}x", flush=True)


def make_samples(folder: Path, side: int) -> dict[str, list[Path]]:
    """Write grey pictures of `side` x `side` pixels, and a FITS file with as many cards as those of JWST."""
    import numpy as np
    from astropy.io import fits
    from PIL import Image

    jpgs = []
    for number in range(4):
        sky = expose(draw("field", (side, side), scene=number), noise=number)[0]
        low, high = np.percentile(sky, (5.0, 99.7))
        grey = (np.arcsinh((sky - low).clip(0) / (high - low) * 10) * 60).clip(0, 255).astype("uint8")
        jpgs.append(folder / f"sample{number}.jpg")
        Image.fromarray(grey).save(jpgs[-1], quality=85)
    primary = fits.PrimaryHDU()
    for name, value in big.cards_of(0).items():
        primary.header[name] = value
    for number in range(200):
        primary.header[f"KEY{number:05d}"] = number
    path = folder / "sample.fits"
    fits.HDUList([primary, fits.ImageHDU(np.zeros((64, 64), "float32"))]).writeto(path)
    return {"jpg": jpgs, "fits": [path]}


if __name__ == "__main__":
    main()
