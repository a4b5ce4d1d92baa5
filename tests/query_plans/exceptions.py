"""The statements that may cost more in a larger installation: what sends them, what their plans do, and why."""

from __future__ import annotations

import re
from typing import Final

from tests.query_plans.recorded import BY_PAGES

#: By the beginning of who sends it, as in `queue/store.py: claim`: the findings that are allowed, and the reason.
ALLOWED: Final[dict[str, tuple[str, str]]] = {
    # Planning and building of a whole site, or of what every page of a site shows.
    "building/template_site.py": ("", "a list of the whole site, read when it may have changed"),
    "building/template_variables.py: _addresses": ("artifact", "the sitemap of a small site"),
    "building/template_variables.py: sitemap_variables": ("artifact", "the index of sitemaps: one in 1,000 pages"),
    "planning/archives.py": ("", "which listings a site has, when its theme or its settings changed"),
    "planning/artifact_sync.py: _specs_where": ("artifact by artifact_subject", "the index templates of a theme"),
    "planning/artifact_sync.py": ("", "the artifacts of a whole site, when its theme or its settings changed"),
    "planning/artifact_store.py": ("", "the artifacts of a whole site, when its theme or its settings changed"),
    "planning/invalidation.py: Invalidation.invalidate": ("", "a change that every page or all pages of a term show"),
    "planning/invalidation.py: Invalidation._built_pages": ("artifact by artifact_subject", "pages of listings"),
    "planning/listings.py: listing_page": ("entry", "the number of entries of a listing of a whole site"),
    "planning/path_conflicts.py: resolve_conflicts": ("artifact", "when the whole site is planned"),
    "planning/redirects.py: move_redirects": ("move|artifact", "when the whole site is planned"),
    "planning/listings.py: keys_between": ("entry", "a listing of a whole site, when its pages are first divided"),
    "preview_requests.py: request_previews": ("scan preview", "previews that somebody shared: few, and they expire"),
    "planning/listing_totals.py": ("", "the totals of a whole site"),
    "planning/redirects.py: record_former_addresses": ("scan move", "PostgreSQL compares all while they are few"),
    "planning/sitemaps.py: is_split": ("scan entry", "ends at 1,001"),
    "planning/placements.py": ("", "the totals of a whole site, made anew when it is planned for the first time"),
    "planning/planner.py": ("artifact", "a whole site is planned for the first time, or loses many files"),
    "planning/steps.py": ("", "a whole site is planned, step by step"),
    "planning/sitemaps.py: sitemap_parts": ("artifact", "when the whole site is planned"),
    "planning/dependency_keys.py: delete_unused": ("artifact", "looks at one artifact of each set of keys"),
    "planning/plan.py: Plan.artifact_count": ("artifact", "how many files a site has, for whoever planned it"),
    "queue/enqueue.py: _enqueue": ("artifact|throttle", "all artifacts of a site that a plan touched"),
    # What a change of a term touches: all entries that have it.
    "content/term_edits.py": ("entry_", "the entries of a term"),
    "content/changes.py: record_entries": ("entry_", "the entries of a term"),
    "content/term_names.py: find_term": ("tag", "a person names a term: a name may differ in its case alone"),
    # What a person asks for by its nature reads all of it.
    "content/entries.py: update_days": ("entry", "the site moved to another timezone"),
    "content/term_names.py: check_name_free": ("tag", "a term is renamed: a name may differ in its case alone"),
    "content/terms.py: SiteTerms._find_renamed": ("tag", "an import: a name may differ in its case alone"),
    "importing/existing_entries.py": ("", "an import compares all that it imported before"),
    "exporting/": ("", "an export reads all"),
    "queue/job_acts.py": ("job", "a person acts on all jobs of a search"),
    "queue/job_changes.py": ("job", "a person acts on all jobs of a search"),
    "queue/job_queries.py: count": ("job", "an exact count, for whoever acts on all jobs of a search"),
    "queue/job_queries.py: _read": ("sort job", "an order was asked for that no index has"),
    "queue/job_queries.py: _counted": ("sort job", "groups a bounded number of rows"),
    "editorial/queries/": ("sort", "groups a bounded number of rows"),
    # One step of an index for each job that waits, however many are over.
    "history/measuring.py: _count_jobs": ("walk job by job_waiting", "the waiting jobs of each site, once a minute"),
    "queue/store.py: claim": ("walk job by job_order", "passes over the waiting jobs that may not run yet"),
    "queue/store.py: count_by_state": ("walk job by|scan job", "exact counts, of an index alone, when somebody asks"),
    "queue/store.py: seconds_until_due": ("walk job by", "the waiting jobs, when nothing is due"),
    "queue/store.py: count_unfinished": ("walk job by", "what waits, for the progress that a person sees"),
    "queue/totals.py: read": ("job", "what waits or failed, for a person, and kept for two seconds"),
    "delivery/lag_history.py": ("lag_sample", "the lag in an hour or a day, which a chart shows"),
    "history/minutes.py: minutes": ("measured_minute", "the minutes of the last day, which a chart shows"),
    "editorial/queries/moderation.py: count_newer": ("comment", "1,000 newer ones at most"),
    # Small by what is pruned.
    "accounts/pruning.py: prune": ("session", "once an hour, and sessions end after days"),
    "editorial/senders.py": ("", "once a day, what identifies readers and is no longer kept"),
    "building/comparisons.py: prune": ("comparison", "kept for an hour, and each asked for by a person"),
    "preview_requests.py: _request_concerned": ("preview", "previews have links for a few days"),
    "delivery/confirmations.py: _moves": ("confirmation", "the moves of a target's cursor in an hour"),
    "previews/": ("preview", "previews have links for a few days"),
    "queue/pruning.py: prune": ("scan throttle", "once a day, and nearly all that is read goes"),
}  # fmt: skip


def refused(sender: str, findings: list[str]) -> list[str]:
    """Those of the findings about a statement of a sender that no exception allows."""
    if sender.endswith(BY_PAGES):  # which bounds the rows that a filter is tested on
        findings = [one for one in findings if one.startswith("sort")]
    allowed = [what for who, (what, _) in ALLOWED.items() if sender.startswith(who)]
    return [one for one in findings if not any(re.search(what, one) for what in allowed)]
