"""What a profile of AppArmor lets a program open, as far as ours says it: rules for files, without those of its includes."""
import re

VARIABLES = {'PROC': '/proc', 'sys': '/sys', 'run': '{/run,/var/run}', 'pid': '[0-9]*'}


def expression(glob):
    """A regular expression for what apparmor.d(5) calls a glob."""
    glob = re.sub(r'@\{(\w+)\}', lambda found: VARIABLES[found[1]], glob)
    pieces = {'**': '.*', '*': '[^/]*', '?': '[^/]', '{': '(?:', ',': '|', '}': ')'}
    found, depth = '', 0
    for piece in re.findall(r'\*\*|\[[^]]*\]\*|\[[^]]*\]|.', glob):
        depth += (piece == '{') - (piece == '}')
        if piece.startswith('['):
            found += piece
        elif piece == ',' and not depth:
            found += ','
        else:
            found += pieces.get(piece, re.escape(piece))
    return re.compile(found)


def file_rules(path):
    """(expression, permissions) of each rule for a file."""
    with open(path) as f:
        for line in f:
            if rule := re.fullmatch(r'\s+((?:/|@\{(?:PROC|sys|run)\})\S*)\s+([a-z]+),\s*', line):
                yield expression(rule[1]), rule[2]
