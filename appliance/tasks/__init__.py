"""The commands: `invoke X` in a checkout and `appliance X` once installed are the same tasks."""

from __future__ import annotations

from invoke import Collection

from appliance import __version__
from appliance.tasks import (
    bench,
    collections,
    comments,
    demo,
    editing,
    files,
    house,
    jobs,
    molecule,
    periodic,
    preview,
    processes,
    publish,
    site,
    soak,
    sources,
    targets,
    terms,
    transfer,
    wheelhouse,
    why,
)  # fmt: skip
from appliance.tasks.program import ApplianceProgram

#: Every task, by the name it has on the command line.
namespace = Collection(
    publish.publish, publish.drain, publish.work, publish.status, why.why,
    preview.preview, periodic.periodic,
    house.test, house.lint, house.lock, house.docs,
    demo.demo, bench.bench, soak.soak, molecule.molecule,
    collections.collections, wheelhouse.wheelhouse,
    Collection("site", site.init, site.check),
    Collection(
        "content", transfer.import_, transfer.export, sources.pull, sources.sources_list,
        editing.add, editing.edit, editing.show, editing.entries_list, editing.delete,
        comments.comment, comments.comments_list, comments.edit_comment, comments.moderate,
        files.upload, files.assets_list, files.move_asset, files.remove_asset,
        terms.terms_list, terms.rename, terms.merge, terms.delete_term,
    ),
    Collection("docroot", targets.docroot_init, targets.docroot_renew, targets.docroot_clear),
    Collection(
        "targets", targets.targets_list, targets.check, targets.verify, targets.resync, targets.pause, targets.resume,
        targets.forget,
    ),
    Collection("jobs", jobs.jobs_list, jobs.show, jobs.delete, jobs.retry, jobs.prioritise),
    Collection("processes", processes.processes_list, processes.pause, processes.resume, processes.recycle),
)  # fmt: skip


def main() -> None:
    """The console script `appliance`."""
    ApplianceProgram(name="appliance", binary="appliance", namespace=namespace, version=__version__).run()


__all__ = ["main", "namespace"]
