"""Where a Swift source can be changed by one operator, constant or order of writes, and to what."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from swift_text import BINDING, SwiftText

OPERATORS = {
    '<': ['<=', '>='],
    '<=': ['<', '>'],
    '>': ['>=', '<='],
    '>=': ['>', '<'],
    '==': ['!='],
    '!=': ['=='],
    '+': ['-'],
    '-': ['+'],
    '*': ['/'],
    '/': ['*'],
    '%': ['/'],
    '&+': ['&-'],
    '&-': ['&+'],
    '&&': ['||'],
    '||': ['&&'],
    '|': ['&'],
    '&': ['|'],
    '<<': ['>>'],
    '>>': ['<<'],
}
ASSIGNMENTS = {'+=': '-=', '-=': '+=', '*=': '/=', '/=': '*=', '&+=': '&-=', '&-=': '&+='}

# What only says something, or is meant to end the program.
SILENT = re.compile(
    r'\b(precondition|preconditionFailure|assert|assertionFailure|fatalError|reserveCapacity)\b|^\s*(import|#|@)'
)
# Arguments that say how much memory to set aside: more or less of it changes nothing that can be seen.
MEMORY = frozenset(['capacity', 'alignment', 'byteCount'])
# A line that does something which the order of matters for.
EFFECT = re.compile(
    r'^(?:try [\w.]+\(.*\)|(?:if try )?[\w.]*\b(?:write|set|put|give|override|report|restore|begin|end|adopt|update|'
    r'observe|forget|apply|note|append|insert|remove|publish|settle|take|close|unlink|rename|learn)\w*\(.*\))$'
)


@dataclass(frozen=True)
class Place:
    """A change: `original`, from `start` to `end` of the file, becomes `mutated` while the mutant is on.

    `template` is Swift with `MUTANT` for whether it is.
    """

    path: str
    line: int
    start: int
    end: int
    kind: str
    original: str
    mutated: str
    template: str
    source_line: str
    original_lines: int

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: {self.original} → {self.mutated}'

    @property
    def key(self) -> str:
        """What stays the same when lines move."""
        return f'{self.path}: {self.source_line.strip()} | {self.original} → {self.mutated}'


def short(code: str) -> str:
    code = re.sub(r'\s+', ' ', code)
    return code if len(code) <= 90 else code[:40] + ' … ' + code[-40:]


class Finder:
    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.swift = SwiftText(source)

    def find(self) -> list[Place]:
        swift = self.swift
        found: list[Place] = []
        for index, token in enumerate(swift.tokens):
            if SILENT.search(self.masked_line(swift.line(token.start))):
                continue
            if token.kind == 'operator':
                found += self.operator(index)
            elif token.kind == 'number':
                found += self.number(index)
            elif token.kind == 'word':
                found += self.word(index)
        found += self.order()
        return sorted(set(found), key=lambda place: (place.start, place.kind, place.mutated))

    def masked_line(self, number: int) -> str:
        swift = self.swift
        end = swift.lines[number] if number < len(swift.lines) else len(swift.text)
        return swift.text[swift.lines[number - 1] : end]

    def place(self, kind: str, start: int, end: int, shown: tuple[str, str], template: str) -> Iterator[Place]:
        swift = self.swift
        # On one line a closure of several statements would need semicolons.
        inside = swift.text[start:end]
        if '\n' in inside and ('{' in inside or '\x01\n' in inside or '\n\x01' in inside):
            return
        line = swift.line(start)
        yield Place(
            self.path, line, start, end, kind, short(shown[0]), short(shown[1]), template, swift.line_text(line),
            inside.count('\n'),
        )

    def operator(self, index: int) -> Iterator[Place]:
        swift, token = self.swift, self.swift.tokens[index]
        if token.text == '!' and not swift.is_infix(index):
            yield from self.negation(index)
        if not swift.is_infix(index):
            return
        if token.text in ASSIGNMENTS:
            if token.text == '+=' and self.joins(index):
                return
            extent = swift.extent(index, 1)
            if extent is None:
                return
            start, end = swift.tokens[extent[0]].start, swift.tokens[extent[1]].end
            other = ASSIGNMENTS[token.text]
            changed = swift.code(start, token.start) + other + swift.code(token.end, end)
            original = swift.code(start, end)
            template = f'if MUTANT {{ {changed} }} else {{ {original} }}'
            yield from self.place('assignment', start, end, (original, changed), template)
            return
        if token.text == '+' and self.joins(index):
            return
        for other in OPERATORS.get(token.text, []):
            extent = swift.extent(index, BINDING[token.text])
            if extent is None:
                continue
            start, end = swift.tokens[extent[0]].start, swift.tokens[extent[1]].end
            original = swift.code(start, end)
            changed = swift.code(start, token.start) + other + swift.code(token.end, end)
            template = f'(MUTANT ? ({changed}) : ({original}))'
            yield from self.place('operator', start, end, (original, changed), template)

    def joins(self, index: int) -> bool:
        """Whether texts or lists are put together, which nothing takes apart."""
        beside = (self.swift.tokens[index - 1], self.swift.tokens[index + 1])
        return any(token.kind == 'string' or token.text in ('[', ']') for token in beside)

    def negation(self, index: int) -> Iterator[Place]:
        swift, token = self.swift, self.swift.tokens[index]
        before = swift.text[token.start - 1]
        if not (before.isspace() or before in '([{') or swift.text[token.end : token.end + 1].isspace():
            return
        last = swift.right(index, 11)
        # Up to the next infix operator: the operand is a postfix expression.
        at = index
        depth = 0
        while last is not None and at < last:
            if depth == 0 and swift.is_infix(at + 1):
                break
            at += 1
            depth += {'(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1}.get(swift.tokens[at].text, 0)
        start, end = token.start, swift.tokens[at].end
        operand = swift.code(token.end, end)
        yield from self.place('negation', start, end, ('!' + operand, operand), f'(MUTANT == ({operand}))')

    def number(self, index: int) -> Iterator[Place]:
        swift, token = self.swift, self.swift.tokens[index]
        before = swift.tokens[index - 1] if index else None
        if before and before.kind == 'operator' and before.text.endswith('.') and before.end == token.start:
            return
        label = swift.tokens[index - 2] if index > 1 and before and before.text == ':' else None
        if label and label.text in MEMORY:
            return
        line = self.masked_line(swift.line(token.start)).lstrip()
        if line.startswith('case ') and ' where ' not in line:
            # A pattern, or the raw value of a case, is no expression.
            if ':' not in line or self.column(token.start, line) < line.index(':'):
                return
        text = token.text.replace('_', '')
        for other in variants(text):
            template = f'(MUTANT ? {other} : {token.text})'
            shown = (self.around(index, token.text), self.around(index, other))
            yield from self.place('constant', token.start, token.end, shown, template)

    def column(self, offset: int, stripped: str) -> int:
        number = self.swift.line(offset)
        indent = len(self.masked_line(number)) - len(self.masked_line(number).lstrip())
        return offset - self.swift.lines[number - 1] - indent

    def around(self, index: int, text: str) -> str:
        """A number with what stands beside it, so that a reader sees which it is."""
        tokens = self.swift.tokens
        start = tokens[max(index - 3, 0)].start
        end = tokens[min(index + 2, len(tokens) - 1)].end
        token = tokens[index]
        line = self.swift.line(token.start)
        start = max(start, self.swift.lines[line - 1])
        if line < len(self.swift.lines):
            end = min(end, self.swift.lines[line] - 1)
        return (self.swift.code(start, token.start) + text + self.swift.code(token.end, max(end, token.end))).strip()

    def word(self, index: int) -> Iterator[Place]:
        swift, token = self.swift, self.swift.tokens[index]
        before = swift.tokens[index - 1] if index else None
        after = swift.tokens[index + 1] if index + 1 < len(swift.tokens) else None
        if token.text in ('true', 'false'):
            line = self.masked_line(swift.line(token.start)).lstrip()
            if line.startswith('case ') and self.column(token.start, line) < len(line.split(':')[0]):
                return
            other = {'true': 'false', 'false': 'true'}[token.text]
            shown = (self.around(index, token.text), self.around(index, other))
            template = f'(MUTANT ? {other} : {token.text})'
            yield from self.place('constant', token.start, token.end, shown, template)
        elif token.text in ('min', 'max') and after and after.text == '(' and after.start == token.end:
            if before and (before.text in ('.', '?.', 'func') or before.text.endswith('.')):
                return
            close = self.closing(index + 1)
            start, end = token.start, swift.tokens[close].end
            other = {'min': 'max', 'max': 'min'}[token.text]
            rest = swift.code(token.end, end)
            template = f'(MUTANT ? {other}{rest} : {token.text}{rest})'
            yield from self.place('operator', start, end, (token.text + rest, other + rest), template)
        elif token.text in ('if', 'guard', 'while'):
            yield from self.conditions(index)

    def closing(self, index: int) -> int:
        depth = 0
        for at in range(index, len(self.swift.tokens)):
            depth += {'(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1}.get(self.swift.tokens[at].text, 0)
            if depth == 0:
                return at
        return index

    def conditions(self, index: int) -> Iterator[Place]:
        """Each condition that binds nothing: reversed where it is a name, and left out where it is one of several."""
        swift = self.swift
        parts: list[tuple[int, int]] = []
        depth, first, at = 0, index + 1, index + 1
        end_word = '{' if swift.tokens[index].text != 'guard' else 'else'
        while at < len(swift.tokens):
            token = swift.tokens[at]
            if depth == 0 and token.text in (',', end_word):
                parts.append((first, at - 1))
                first = at + 1
                if token.text == end_word:
                    break
            depth += {'(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1}.get(token.text, 0)
            if depth < 0:
                return
            at += 1
        for first, last in parts:
            if last < first or swift.tokens[first].text in ('let', 'var', 'case', '#available', 'try', 'unsafe'):
                continue
            start, end = swift.tokens[first].start, swift.tokens[last].end
            condition = swift.code(start, end)
            if not any(swift.is_infix(at) for at in range(first, last + 1)) and swift.tokens[first].text != '!':
                template = f'(MUTANT != ({condition}))'
                yield from self.place('condition', start, end, (condition, f'!({condition})'), template)
            if len(parts) > 1:
                template = f'(MUTANT || ({condition}))'
                yield from self.place('condition', start, end, (condition, 'true'), template)

    def order(self) -> Iterator[Place]:
        """Two neighbouring lines that do something, the other way round."""
        swift = self.swift
        for number in range(1, len(swift.lines) - 1):
            lines = [self.masked_line(number).rstrip(), self.masked_line(number + 1).rstrip()]
            indents = [len(line) - len(line.lstrip()) for line in lines]
            codes = [line.strip() for line in lines]
            if indents[0] != indents[1] or not all(EFFECT.match(code) for code in codes):
                continue
            if any(code.count('(') != code.count(')') or '{' in code for code in codes):
                continue
            following = self.masked_line(number + 2).strip() if number + 2 <= len(swift.lines) else ''
            before = self.masked_line(number - 1).rstrip() if number > 1 else ''
            if re.match(r'[.?:&|+\-*/<>=]', following) or re.search(r'[(,=&|]$', before):
                continue
            start = swift.lines[number - 1] + indents[0]
            middle = swift.lines[number] + indents[1]
            end = swift.lines[number] + len(lines[1])
            first = swift.code(start, swift.lines[number]).strip()
            second = swift.code(middle, end)
            template = f'if MUTANT {{ {second}; {first} }} else {{ {first}\n{second} }}'
            yield from self.place('order', start, end, (f'{first}; {second}', f'{second}; {first}'), template)


def variants(text: str) -> list[str]:
    if text.lower().startswith(('0x', '0b')):
        return [hex(int(text, 0) + 1)]
    if '.' in text or 'e' in text.lower():
        value = float(text)
        return [repr(value * 2) if value else '1.0', repr(value / 2) if value else '0.5']
    value = int(text)
    if value == 0:
        return ['1']
    if value == 1:
        return ['0', '2']
    if value < 10:
        return [str(value + 1), str(value - 1)]
    return [str(value + 1), str(value - 1), str(value * 2), str(value // 2)]
