"""The tokens of a Swift source, and the extent of an expression around an operator."""

import bisect
import re
from dataclasses import dataclass

STRING = '\x01'
TOKEN = re.compile(
    rf"""(?P<string>{STRING}+)
      | (?P<number>0x[0-9a-fA-F_]+|0b[01_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][-+]?\d+)?)
      | (?P<word>[#@]?`?[A-Za-z_$][\w]*`?|\$\d+)
      | (?P<operator>[-+*/%<>=!&|^~?.]+)
      | (?P<mark>[()\[\]{{}},;:\\@#])""",
    re.VERBOSE,
)

# How tightly infix operators bind.
BINDING = {
    **dict.fromkeys(['=', '+=', '-=', '*=', '/=', '%=', '|=', '&=', '^=', '<<=', '>>=', '&+=', '&-=', '->'], 1),
    '?': 2,
    '||': 3,
    '&&': 4,
    **dict.fromkeys(['<', '<=', '>', '>=', '==', '!=', '===', '!=='], 5),
    '??': 6,
    **dict.fromkeys(['..<', '...'], 7),
    **dict.fromkeys(['+', '-', '|', '^', '&+', '&-'], 8),
    **dict.fromkeys(['*', '/', '%', '&', '&*'], 9),
    **dict.fromkeys(['<<', '>>', '&<<', '&>>'], 10),
}

# What no expression goes beyond.
BOUNDARIES = frozenset(
    'if guard while switch for return throw let var case where in else do try await defer catch repeat default '
    'consume copy unsafe inout import func init static'.split()
)
CONDITIONS = frozenset(['if', 'while', 'switch', 'for', 'catch'])


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


def masked(source: str) -> str:
    """The source with comments blanked and strings as one letter each, every character at its place."""
    out = list(source)
    position, size = 0, len(source)

    def blank(start: int, end: int, letter: str) -> None:
        for index in range(start, end):
            if out[index] != '\n' or letter != ' ':
                out[index] = letter

    while position < size:
        two = source[position : position + 2]
        if two == '//':
            end = source.find('\n', position)
            end = size if end < 0 else end
            blank(position, end, ' ')
        elif two == '/*':
            depth, end = 1, position + 2
            while depth and end < size:
                pair = source[end : end + 2]
                depth += {'/*': 1, '*/': -1}.get(pair, 0)
                end += 2 if pair in ('/*', '*/') else 1
            blank(position, end, ' ')
        elif match := re.compile(r'#*"').match(source, position):
            end = end_of_string(source, position, match.group())
            blank(position, end, STRING)
        else:
            end = position + 1
        position = end
    return ''.join(out)


def end_of_string(source: str, start: int, opening: str) -> int:
    hashes = opening[:-1]
    quotes = '"""' if source.startswith(hashes + '"""', start) else '"'
    escape = '\\' + hashes
    position = start + len(hashes) + len(quotes)
    while position < len(source):
        if source.startswith(quotes + hashes, position):
            return position + len(quotes) + len(hashes)
        if source.startswith(escape + '(', position):
            depth, position = 1, position + len(escape) + 1
            while depth:
                if source[position] == '"':
                    position = end_of_string(source, position, '"')
                    continue
                depth += {'(': 1, ')': -1}.get(source[position], 0)
                position += 1
        elif source.startswith(escape, position):
            position += len(escape) + 1
        else:
            position += 1
    return len(source)


class SwiftText:
    def __init__(self, source: str) -> None:
        self.source = source
        self.text = masked(source)
        self.tokens = [
            Token(match.lastgroup or '', match.group(), match.start(), match.end())
            for match in TOKEN.finditer(self.text)
        ]
        self.lines = [0] + [match.end() for match in re.finditer('\n', source)]

    def line(self, offset: int) -> int:
        return bisect.bisect_right(self.lines, offset)

    def line_text(self, number: int) -> str:
        end = self.lines[number] if number < len(self.lines) else len(self.source)
        return self.source[self.lines[number - 1] : end].rstrip('\n')

    def code(self, start: int, end: int) -> str:
        """A piece without its comments, on one line."""
        kept = [b if b == STRING or c in ' \n' else c for c, b in zip(self.text[start:end], self.text[start:end])]
        whole = ''.join(s if m == STRING else k for s, m, k in zip(self.source[start:end], self.text[start:end], kept))
        return re.sub(r'\s*\n\s*', ' ', whole)

    def is_infix(self, index: int) -> bool:
        token = self.tokens[index]
        if token.kind != 'operator' or token.text not in BINDING:
            return False
        return self.text[token.start - 1].isspace() and self.text[token.end : token.end + 1].isspace()

    def begins_line(self, index: int) -> bool:
        before = self.tokens[index - 1].end if index else 0
        return '\n' in self.text[before : self.tokens[index].start]

    def is_statement_start(self, index: int) -> bool:
        """Whether a new statement begins with this token, if nothing encloses it."""
        if index == 0:
            return True
        if not self.begins_line(index):
            return False
        token, before = self.tokens[index], self.tokens[index - 1]
        if token.text in ('.', '?.', ':', ')', ']') or self.is_infix(index) or token.text.startswith('.'):
            return False
        return not (self.is_infix(index - 1) or before.text in ('(', '[', ',', ':'))

    def extent(self, index: int, binding: int) -> tuple[int, int] | None:
        """The expression around an infix operator: all that binds at least as tightly."""
        first = self.left(index, binding)
        last = self.right(index, binding)
        if first is None or last is None or first > index - 1 or last < index + 1:
            return None
        return first, last

    def left(self, index: int, binding: int) -> int | None:
        depth, at = 0, index
        while at > 0:
            if depth == 0 and self.is_statement_start(at):
                return at
            before = self.tokens[at - 1]
            if before.text in (')', ']', '}'):
                depth += 1
            elif before.text in ('(', '[', '{'):
                if depth == 0:
                    return at
                depth -= 1
            elif depth == 0:
                if before.text in (',', ';', ':') or before.text in BOUNDARIES:
                    return at
                if before.kind == 'operator' and self.is_infix(at - 1) and BINDING[before.text] < binding:
                    return at
                if before.text in ('?', '!') and at >= 2 and self.tokens[at - 2].text == 'try':
                    return at
            at -= 1
        return 0

    def right(self, index: int, binding: int) -> int | None:
        depth, at = 0, index
        in_condition = self.is_in_condition(index)
        while at + 1 < len(self.tokens):
            after = self.tokens[at + 1]
            if depth == 0 and self.is_statement_start(at + 1):
                return at
            if after.text in ('(', '['):
                depth += 1
            elif after.text == '{':
                if depth == 0 and in_condition:
                    return at
                depth += 1
            elif after.text in (')', ']', '}'):
                if depth == 0:
                    return at
                depth -= 1
            elif depth == 0:
                if after.text in (',', ';', ':') or after.text in BOUNDARIES - {'try', 'unsafe', 'consume', 'copy'}:
                    return at
                if after.kind == 'operator' and self.is_infix(at + 1) and BINDING[after.text] < binding:
                    return at
            at += 1
        return at

    def is_in_condition(self, index: int) -> bool:
        """Whether the next brace at this depth opens the body of a statement."""
        depth, at = 0, index
        while at > 0:
            token = self.tokens[at]
            if depth == 0 and token.text in CONDITIONS:
                return True
            if depth == 0 and self.is_statement_start(at):
                return token.text in CONDITIONS or token.text == '}'
            before = self.tokens[at - 1]
            if before.text in (')', ']', '}'):
                depth += 1
            elif before.text in ('(', '[', '{'):
                if depth == 0:
                    return False
                depth -= 1
            at -= 1
        return False
