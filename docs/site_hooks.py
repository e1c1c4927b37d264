"""What `mkdocs build` does beside the pages of docs/: files of the repository that they link to become part of the site.

On a code host `../CONTRIBUTING.md` leads out of docs/. A site has nothing there, so each such file is added under
`repository/`, Markdown as a page and everything else as it is, and links are written anew.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
"""The address of a link, without its anchor."""
LOADED = re.compile(r"<(?:script|link|img|iframe|source)[^>]*\s(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
"""What a browser would load from elsewhere."""


def _target(source: str, link: str) -> str | None:
    """The file of the repository that a link on a page leads to; None if it leads elsewhere."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return path if not re.match(r"[a-z]+:", link) and (ROOT / path).is_file() else None


def _in_site(path: str) -> str:
    return path.removeprefix("docs/") if path.startswith("docs/") else f"repository/{path}"


def _in_repository(uri: str) -> str:
    return uri.removeprefix("repository/") if uri.startswith("repository/") else f"docs/{uri}"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file outside of docs/ that a page links to, and what these link to."""
    waiting = [_in_repository(file.src_uri) for file in files.documentation_pages()]
    while waiting:
        source = waiting.pop()
        for link in LINK.findall((ROOT / source).read_text(encoding="utf-8")):
            path = _target(source, link)
            if path and files.get_file_from_path(_in_site(path)) is None:
                files.append(File.generated(config, _in_site(path), abs_src_path=str(ROOT / path)))
                if path.endswith(".md"):
                    waiting.append(path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where the files are in the site."""
    source, here = _in_repository(page.file.src_uri), posixpath.dirname(page.file.src_uri)

    def written(match: re.Match[str]) -> str:
        path = _target(source, match[0])
        return posixpath.relpath(_in_site(path), here) if path else match[0]

    return LINK.sub(written, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Name functions without their arguments in the table of contents."""
    for section in page.toc:
        for entry in section.children:
            for name in (entry, *entry.children):
                if name.title.startswith("gc."):
                    name.title = name.title.partition("(")[0]
    return html


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that loads anything from elsewhere."""
    found = LOADED.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri} loads from elsewhere: {found[0]}")
    return output
