"""What a size cannot tell: an old copy must not pass for a newer revision of the same size."""

from __future__ import annotations

import shutil
from pathlib import Path

from jwstwatch.core.model import FileState
from jwstwatch.demo.faults import Fault, FaultKind
from tests.sync.bench import Bench


def test_an_old_tree_that_comes_back_after_a_reprocessing_is_replaced(bench: Bench, tmp_path: Path) -> None:
    bench.configure({"watch": {"propID": 9001}})
    assert bench.run().counts.downloaded == 12
    folder, aside = bench.root / "09001", tmp_path / "aside"
    shutil.move(folder, aside)
    for uri in bench.server.catalogue.uris:
        bench.server.catalogue.reprocess(uri, now=bench.context().now(), version="9.9.9")
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*", status=503, times=None))
    bench.attempt()
    bench.server.faults.clear()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(aside, folder)
    bench.run()
    revised = bench.ask(
        "SELECT path, state FROM file JOIN product ON product.id = product_id WHERE product.revision = 2"
    )
    assert len(revised) >= 4  # level 1 has neither a version nor another size
    for path, state in revised:
        uri = f"mast:JWST/product/{Path(path).name}"
        assert state == FileState.PRESENT
        assert (bench.root / path).read_bytes() == bench.server.catalogue.read(uri).content
