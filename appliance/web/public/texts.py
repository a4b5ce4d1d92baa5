"""The texts of the application's pages, by language. Templates name them; no template has a sentence of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ENGLISH: Final[Mapping[str, str]] = {
    # The form
    "write": "Write a comment",
    "reply_to": "Reply to {name}",
    "on": "on",
    "name": "Name",
    "email": "Email",
    "email_hint": "not published",
    "website": "Website",
    "optional": "optional",
    "text": "Comment",
    "text_hint": "Markdown works: *emphasis*, `code`, links, quotes and lists.",
    "notify": "Tell me by mail when somebody replies to this comment",
    "trap": "Leave this empty",
    "preview": "Preview",
    "send": "Send comment",
    "preview_title": "This is how your comment will look",
    "unsent": "It is not sent yet.",
    "confirm_title": "Almost there",
    "confirm": "Please look it over, and send it below. This step keeps out most programs that post advertising.",
    "problems_title": "This could not be sent yet",
    "closed_title": "Comments are closed",
    "back": "Back to “{title}”",
    "back_plain": "Back to the page",
    # After sending
    "way_title": "Your comment is on its way",
    "way": "It is saved, and will be on the page in a moment. This page looks again by itself, then leads you there.",
    "way_slow": "It is saved, and will be on the page soon. You may close this page; nothing is lost.",
    "there_title": "Your comment is published",
    "there": "See it in its place",
    "held_title": "Your comment waits for approval",
    "held": "It is saved. It will be on the page as soon as somebody of this site has looked at it.",
    "confirmation": "A mail is on its way to {address}. Follow the link in it if you want to be told of replies.",
    "look_again": "Look again",
    "delete_offer": "Delete my comment",
    "delete_until": "You can delete it for {minutes} minutes after sending.",
    # Deleting
    "delete_title": "Delete your comment?",
    "delete_warning": "It will be removed from the page for good.",
    "delete": "Delete it",
    "deleted_title": "Your comment is deleted",
    "deleted": "It will be gone from the page in a moment.",
    "delete_expired_title": "This comment can no longer be deleted here",
    "delete_expired": "The time for that is over. Write to the people of this site if it has to go.",
    # Notices of replies
    "notice_confirm_title": "Get mail about replies?",
    "notice_confirm": "We will tell you by mail when somebody replies to your comment on “{title}”.",
    "notice_confirm_button": "Yes, tell me",
    "notice_confirmed_title": "You will get mail about replies",
    "notice_confirmed": "Every such mail has a link that ends it.",
    "notice_end_title": "No more mail about replies?",
    "notice_end": "We will no longer tell you of replies to your comment on “{title}”.",
    "notice_end_button": "Stop these mails",
    "notice_end_all": "Stop all mails about replies on this site",
    "notice_ended_title": "You will get no more of these mails",
    "notice_ended": "Your comment stays where it is.",
    "notice_expired_title": "This link is no longer valid",
    "notice_expired": "It was used already, or is too old.",
    # Search
    "search": "Search",
    "search_title": "Search {site}",
    "search_results": "“{query}”",
    "search_hint": "Write one or more words.",
    "search_none": "Nothing was found for “{query}”. Try fewer words, or others.",
    "search_no_more": "There are no more results.",
    "search_cut": "Only the first {shown} results are shown. Add a word to find others.",
    "search_one": "1 result",
    "search_many": "{total} results",
    "search_more": "More than {total} results",
    "search_page": "page {page}",
    "search_where": "Page {page}",
    "search_where_of": "Page {page} of {pages}",
    "search_previous": "Previous",
    "search_next": "Next",
    "search_pages": "Pages of results",
    # Errors
    "home": "Home",
    "skip": "Skip to the content",
    "missing_title": "There is nothing here",
    "missing": "The address may be mistyped, or what was here is gone.",
    "limited_title": "Too much at once",
    "limited": "We got too many requests from your network. Please try again later; your text is still below.",
    "limited_plain": "We got too many requests from your network. Please try again later.",
    "busy_title": "Just a moment",
    "busy": "There is too much going on right now. Your comment is not sent yet: please try again in a moment.",
    "busy_plain": "There is too much going on right now. Please try again in a moment.",
    "unavailable_title": "This does not work right now",
    "unavailable": "We cannot save anything at the moment. Your text is still below: please send it again later.",
    "unavailable_plain": "Please try again later.",
    "invalid_title": "This could not be understood",
    "invalid": "Please go back, correct the form and send it again.",
    "elsewhere_title": "This form came from another site",
    "elsewhere": "For your protection we only take forms of our own pages. Open the page and write your comment there.",
    "too_long_title": "This is too long",
    "too_long": "Please go back, shorten your text and send it again.",
    "encoding_title": "This form cannot be read",
    "encoding": "Files cannot be sent. Please use the form on the page.",
    "method_title": "That is not possible here",
    "method": "Please go back and use the form.",
    "failed_title": "Something went wrong",
    "failed": "It is our fault, not yours. Please try again later.",
    # Problems of single fields
    "field_too_long": "This is too long; please shorten it.",
}  # fmt: skip


class Texts:
    """The texts in one language, as templates use them: `{{ text.send }}` and `{{ text.say("back", title=title) }}`."""

    def __init__(self, texts: Mapping[str, str], language: str) -> None:
        self._texts = texts
        self.language = language

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(name) from None

    def say(self, name: str, /, **values: object) -> str:
        """The text of this name with values put in. A value cannot bring in further ones."""
        return self._texts[name].format(**values)


def texts_for(_language: str) -> Texts:
    """The texts for a site of this language: English for all, until there are translations."""
    return Texts(_ENGLISH, "en")
