"""All commands by name: the module of each task, and its summary.

Modules of tasks import the rooms they call, and those bring libraries with them. To start fast, a command imports only
the module of the task that the command line names. All other tasks are placeholders with the summaries below, which is
enough for `--help`, `--list` and completion. A module of tasks imports at its top what all its tasks need; what only
one task or only a terminal needs is imported where it is used.

`tests/tasks/test_start.py` compares this table with the tasks, and checks what each command imports.
"""

from __future__ import annotations

import copy
from collections.abc import Container
from importlib import import_module
from typing import Any, Final

from invoke import Collection, Context, Task

from appliance import lazy_imports

#: Each command's task as `module:function`, and the first line of its docstring. In a checkout `devtools` adds its own.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "publish": (
        "appliance.tasks.publish:publish",
        "Enqueue all files that the changes since the last time affect; with --plan only list them.",
    ),
    "drain": (
        "appliance.tasks.publish:drain",
        "Work until the queue is empty and targets are up to date; exit status 1 if jobs failed, 2 if targets lag.",
    ),
    "work": (
        "appliance.tasks.publish:work",
        "Run the daemon until it is stopped; with --once exit when no job is due, with status 1 if jobs are failed.",
    ),
    "serve": (
        "appliance.tasks.web:serve",
        "Run the web process, which takes readers' comments and searches, until it is stopped.",
    ),
    "admin": (
        "appliance.tasks.admin:admin",
        "Run the admin application, with its sign-in, dashboard and API, until it is stopped.",
    ),
    "status": (
        "appliance.tasks.status:status",
        "Show the number of jobs by state, failed jobs, and how far each target is.",
    ),
    "top": (
        "appliance.tasks.top:top",
        "Show whether all is well, the queue, targets, processes and failures, live in the terminal; q quits.",
    ),
    "why": ("appliance.tasks.why:why", "Explain a published file: what it shows, and which job built it last."),
    "previews.share": (
        "appliance.tasks.previews:share",
        "Make a link that shows an entry, draft or not, as it would be published now; the link is printed once.",
    ),
    "previews.list": ("appliance.tasks.previews:previews_list", "List the links to previews, the newest first."),
    "previews.revoke": ("appliance.tasks.previews:revoke", "Revoke links to previews, by the ids in previews.list."),
    "preview": (
        "appliance.tasks.preview:preview",
        "Render an entry, and the listings that would show it, as if it were published now, into a separate folder.",
    ),
    "periodic": (
        "appliance.tasks.periodic:periodic",
        "Run each periodic task that is due, once; exit status 1 when one failed.",
    ),
    "demo": (
        "appliance.tasks.demo:demo",
        "Publish a sample site to two front ends on this host, and measure how soon a new comment appears on both.",
    ),
    "site.init": ("appliance.tasks.site:init", "Create a folder with settings, an empty database and a docroot."),
    "site.check": (
        "appliance.tasks.site:check",
        "Check a settings file and report every error, with exit status 3; nothing is changed.",
    ),
    "site.grant": (
        "appliance.tasks.site:grant",
        "Give the database role of the admin application its rights on all tables; done after migrations by itself.",
    ),
    "content.import": (
        "appliance.tasks.import_export:import_",
        "Import a folder of Markdown or an export of another system. Run it again to import later changes.",
    ),
    "content.export": (
        "appliance.tasks.import_export:export",
        "Export a whole site to a folder of Markdown, or to a file in Movable Type's format.",
    ),
    "content.pull": (
        "appliance.tasks.sources:pull",
        "Import the current state of the named sources, or of all, and plan the sites that it changes.",
    ),
    "content.sources": (
        "appliance.tasks.sources:sources_list",
        "List the sources of the sites: the commit each is at, when it was last pulled, and its last error.",
    ),
    "content.add": ("appliance.tasks.entries:add", "Add an entry or a page; by default a draft dated now."),
    "content.edit": (
        "appliance.tasks.entries:edit",
        "Change the given fields of an entry or page, and leave all others as they are.",
    ),
    "content.show": ("appliance.tasks.entries:show", "Show all properties of an entry, and its text."),
    "content.list": (
        "appliance.tasks.entries:entries_list",
        "List entries and pages that match all given options, the newest first.",
    ),
    "content.search": (
        "appliance.tasks.search:search",
        "List the published entries and pages that readers find who search for these words, the newest first.",
    ),
    "content.delete": (
        "appliance.tasks.entries:delete",
        "Delete entries, given by id, slug or address, with their comments. Either all are deleted or none.",
    ),
    "content.comment": ("appliance.tasks.comments:comment", "Add an approved comment to an entry."),
    "content.comments": (
        "appliance.tasks.comments:comments_list",
        "List comments that match all given options, the newest first.",
    ),
    "content.edit-comment": ("appliance.tasks.comments:edit_comment", "Change the text or the author of a comment."),
    "content.moderate": (
        "appliance.tasks.comments:moderate",
        "Approve, hold, mark as spam or delete the comments with these ids: all of them or none.",
    ),
    "content.upload": (
        "appliance.tasks.assets:upload",
        "Upload a file to the site, replacing an earlier one at the same path.",
    ),
    "content.assets": (
        "appliance.tasks.assets:assets_list",
        "List uploaded files that match all given options, by path.",
    ),
    "content.move-asset": ("appliance.tasks.assets:move_asset", "Move an uploaded file to another path."),
    "content.remove-asset": (
        "appliance.tasks.assets:remove_asset",
        "Remove the uploaded files with these paths or ids from the site: all of them or none.",
    ),
    "content.terms": (
        "appliance.tasks.terms:terms_list",
        "List the authors, categories or tags with the number of entries of each.",
    ),
    "content.rename": (
        "appliance.tasks.terms:rename",
        "Change the name, the slug or the parent of an author, a category or a tag.",
    ),
    "content.merge": (
        "appliance.tasks.terms:merge",
        "Move all entries of an author, a category or a tag to another one, and delete it.",
    ),
    "content.delete-term": (
        "appliance.tasks.terms:delete_term",
        "Delete an author, a category or a tag. Its entries are kept.",
    ),
    "comments.approve": (
        "appliance.tasks.reader_comments:approve",
        "Publish the comments with these ids: all of them or none.",
    ),
    "comments.hold": (
        "appliance.tasks.reader_comments:hold",
        "Keep the comments with these ids from readers until they are approved.",
    ),
    "comments.spam": (
        "appliance.tasks.reader_comments:spam",
        "Mark the comments with these ids as spam, which readers never see.",
    ),
    "comments.delete": (
        "appliance.tasks.reader_comments:delete",
        "Delete the comments with these ids, for good after a minute. Replies to them stay.",
    ),
    "comments.undo": (
        "appliance.tasks.reader_comments:undo",
        "Undo your last decision about comments, within a minute: deleted ones come back, others as they were.",
    ),
    "comments.ban": (
        "appliance.tasks.reader_comments:ban",
        "Refuse further comments of a sender. Comments that are there stay.",
    ),
    "comments.unban": (
        "appliance.tasks.reader_comments:unban",
        "Take comments of a sender again.",
    ),
    "comments.bans": (
        "appliance.tasks.reader_comments:bans",
        "List whose comments are refused, the newest ban first.",
    ),
    "comments.erase": (
        "appliance.tasks.reader_comments:erase",
        "Erase what identifies a sender: e-mail and network addresses, browser, mail about replies. Comments stay.",
    ),
    "users.add": (
        "appliance.tasks.users:add",
        "Add a user, and print a one-time link with which to choose a password.",
    ),
    "users.list": (
        "appliance.tasks.users:users_list",
        "List the users by name, with their roles and second factors.",
    ),
    "users.show": (
        "appliance.tasks.users:show",
        "Show a user: address, roles, second factors, and when the user was seen.",
    ),
    "users.edit": (
        "appliance.tasks.users:edit",
        "Change the address of a user, or the name that others see. The name for signing in stays.",
    ),
    "users.role": ("appliance.tasks.users:role", "Give a user a role on a site, or take it away."),
    "users.disable": (
        "appliance.tasks.users:disable",
        "Disable a user: sessions, tokens and links end at once.",
    ),
    "users.enable": (
        "appliance.tasks.users:enable",
        "Let a user who was disabled sign in again. Sessions and tokens from before stay ended.",
    ),
    "users.reset": (
        "appliance.tasks.users:reset",
        "Print a one-time link with which a user chooses a new password, for somebody who forgot it or lost a phone.",
    ),
    "users.sessions": (
        "appliance.tasks.users:users_sessions",
        "List the sessions of a user, the one used last first; or end one or all of them.",
    ),
    "tokens.add": (
        "appliance.tasks.tokens:add",
        "Make a token for a user and print its secret, which is not shown again.",
    ),
    "tokens.list": ("appliance.tasks.tokens:tokens_list", "List the tokens that can be used, the newest first."),
    "tokens.revoke": ("appliance.tasks.tokens:revoke", "End a token at once."),
    "audit.list": (
        "appliance.tasks.audit:audit_list",
        "List what people and their programs did, the newest first.",
    ),
    "audit.show": (
        "appliance.tasks.audit:show",
        "Show a row of the audit: who did what, from where, and what it changed.",
    ),
    "audit.export": (
        "appliance.tasks.audit:export",
        "Export rows of the audit as lines of JSON, the oldest first, by which anybody can verify them.",
    ),
    "audit.verify": (
        "appliance.tasks.audit:verify",
        "Verify that nobody changed, removed, inserted or reordered rows of the audit; exit status 2 if somebody did.",
    ),
    "docroot.init": (
        "appliance.tasks.docroot:docroot_init",
        "Mark a docroot on a shared file system as this installation's own. Without the marker it is not used.",
    ),
    "docroot.renew": (
        "appliance.tasks.docroot:docroot_renew",
        "After restoring the database, mark every file to be published again and every target to be sent everything.",
    ),
    "docroot.clear": (
        "appliance.tasks.docroot:docroot_clear",
        "Remove files from this host's docroot that were never published. Nothing is published meanwhile.",
    ),
    "targets.list": (
        "appliance.tasks.targets:targets_list",
        "List the targets with their lag, their last push and their last error.",
    ),
    "pages.where": (
        "appliance.tasks.pages:where",
        "Say where a page is: the version that each docroot shows, and when it had confirmed that.",
    ),
    "targets.check": (
        "appliance.tasks.targets:check",
        "Check targets, by name or by an ADDRESS not configured yet: send a probe file, inspect it and remove it.",
    ),
    "targets.verify": (
        "appliance.tasks.targets:verify",
        "Compare the files of a target with what it confirmed, by content; exit status 2 when they differ.",
    ),
    "targets.resync": (
        "appliance.tasks.targets:resync",
        "Send everything to a target again, and remove files there that were never published.",
    ),
    "targets.pause": (
        "appliance.tasks.targets:pause",
        "Send nothing to a target until it is resumed, for example during maintenance; a push in progress is stopped.",
    ),
    "targets.resume": ("appliance.tasks.targets:resume", "Resume a paused target and send it everything it missed."),
    "targets.forget": (
        "appliance.tasks.targets:forget",
        "Forget a target, or a publishing host and its jobs, that was removed from the settings.",
    ),
    "webhooks.list": (
        "appliance.tasks.webhooks:webhooks_list",
        "List the webhooks with their last request, what waits for them, and why a disabled one is.",
    ),
    "webhooks.test": (
        "appliance.tasks.webhooks:test",
        "Send an event to a webhook now and show its answer; exit status 1 if it was not taken.",
    ),
    "webhooks.enable": (
        "appliance.tasks.webhooks:enable",
        "Send events again to a webhook that is disabled or rests after failures.",
    ),
    "jobs.list": (
        "appliance.tasks.jobs:jobs_list",
        "List jobs: the running, the pending in their order, the failed, and the finished. Job ids may follow.",
    ),
    "jobs.show": (
        "appliance.tasks.jobs:show",
        "Show the details of the jobs with the ids that follow: what triggered each, its attempts, and its error.",
    ),
    "jobs.delete": (
        "appliance.tasks.jobs:delete",
        "Cancel pending or failed jobs: those with the ids that follow, or all that match the filters.",
    ),
    "jobs.retry": (
        "appliance.tasks.jobs:retry",
        "Retry failed jobs from the beginning: those with the ids that follow, or all that match the filters.",
    ),
    "jobs.prioritise": (
        "appliance.tasks.jobs:prioritise",
        "Change the priority of pending jobs: those with the ids that follow, or all that match the filters.",
    ),
    "processes.list": (
        "appliance.tasks.processes:processes_list",
        "List workers, couriers and supervisors with their current activity, memory, job count and pending request.",
    ),
    "processes.pause": (
        "appliance.tasks.processes:pause",
        "Stop a process from starting new work until it is resumed.",
    ),
    "processes.resume": ("appliance.tasks.processes:resume", "Resume a paused process."),
    "processes.recycle": (
        "appliance.tasks.processes:recycle",
        "Shut a process down gracefully and start a fresh one in its place.",
    ),
}


def all_tasks() -> Collection:
    """Return all tasks, which imports all their modules."""
    return namespace_for(COMMANDS)


def namespace_for(names: Container[str]) -> Collection:
    """Return the named tasks, and placeholders for all others."""
    root, collections = Collection(), dict[str, Collection]()
    for name in COMMANDS:
        *path, task_name = name.split(".")
        parent = root
        for part in path:
            if part not in collections:
                collections[part] = Collection(part)
                root.add_collection(collections[part])
            parent = collections[part]
        parent.add_task(load_task(name) if name in names else _placeholder(name), name=task_name)
    return root


def load_task(name: str) -> Task[Any]:
    """Import and return a task. It is a copy, because invoke empties a task's help when it parses a command line."""
    lazy_imports.skip_driver_import()
    module, _, function = COMMANDS[name][0].partition(":")
    return copy.deepcopy(getattr(import_module(module), function))


def _placeholder(name: str) -> Task[Any]:
    def body(_context: Context) -> None:
        """Never called."""

    body.__doc__ = COMMANDS[name][1]
    return Task(body, name=name.rpartition(".")[2])
