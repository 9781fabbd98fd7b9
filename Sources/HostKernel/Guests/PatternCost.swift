internal import KSMPolicy

/// What it takes to compile an extended regular expression, found out before regcomp(3) is asked.
///
/// regcomp writes repeats out: `(a{1,255}){1,255}` becomes 65,025 copies of `a`, `+` two of what it repeats, and each
/// level of nesting multiplies. What may be empty in a loop takes it a time that doubles with each level. With both
/// refused, the worst that a fuzzer found took 6 ms and 10 MB.
struct PatternCost {
    /// The characters, groups and branches with all repeats written out.
    private(set) var size = 0
    /// Why the expression is not even tried; `nil` where it may be.
    private(set) var refusal: String?

    /// Names of processes have 15 bytes: some hundred of them.
    static let largest = 2000

    /// What a part of an expression comes to.
    private struct Part {
        /// As ``PatternCost/size``.
        var size = 0
        /// Whether it can match nothing at all.
        var mayBeEmpty = true

        static let character = Part(size: 1, mayBeEmpty: false)
    }

    /// A group that is not closed yet.
    private struct Group {
        /// The branches that are complete.
        var branches = Part(size: 0, mayBeEmpty: false)
        /// The branch that is read, without its last part, which an operator may yet repeat.
        var branch = Part()
        var last = Part()

        mutating func add(_ part: Part) {
            branch.size += last.size
            branch.mayBeEmpty = branch.mayBeEmpty && last.mayBeEmpty
            last = part
        }

        mutating func endBranch() {
            add(Part())
            branches.size += branch.size + 1
            branches.mayBeEmpty = branches.mayBeEmpty || branch.mayBeEmpty
            branch = Part()
        }
    }

    init(_ text: String) {
        let bytes = Array(text.utf8)
        var groups = [Group()]
        var index = 0
        while index < bytes.count, refusal == nil {
            let top = groups.count - 1
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "("):
                groups.append(Group())
            case UInt8(ascii: ")") where top > 0:
                groups[top].endBranch()
                size += 1
                let group = groups.removeLast().branches
                groups[top - 1].add(group)
            case UInt8(ascii: "|"):
                groups[top].endBranch()
                size += 1
            case UInt8(ascii: "*"):
                repeatLast(&groups[top].last, copies: 1, isOptional: true)
            case UInt8(ascii: "+"):
                repeatLast(&groups[top].last, copies: 2, isOptional: false)
            case UInt8(ascii: "?"):
                groups[top].last.mayBeEmpty = true
            case UInt8(ascii: "{"):
                if let (copies, isOptional) = Self.interval(bytes, &index) {
                    repeatLast(&groups[top].last, copies: copies, isOptional: isOptional)
                } else {
                    add(.character, to: &groups[top])
                }
            case UInt8(ascii: "["):
                Self.skipBracket(bytes, &index)
                add(.character, to: &groups[top])
            case UInt8(ascii: "^"), UInt8(ascii: "$"):
                add(Part(size: 1), to: &groups[top])
            case UInt8(ascii: "\\"):
                add(escaped(index < bytes.count ? bytes[index] : nil), to: &groups[top])
                index += 1
            default:
                add(.character, to: &groups[top])
            }
            if size > Self.largest {
                refusal = "with its repeats written out it has more than \(Self.largest) characters"
            }
        }
    }

    private mutating func add(_ part: Part, to group: inout Group) {
        size += part.size
        group.add(part)
    }

    private mutating func repeatLast(_ part: inout Part, copies: Int, isOptional: Bool) {
        // A repeat of nothing at all is an error of its own, which regcomp reports.
        if part.mayBeEmpty, part.size > 0 { refusal = "what it repeats may be empty" }
        let added = part.size.multipliedSaturated(by: max(copies, 1) - 1)
        size = size.addingSaturated(added)
        part.size = part.size.addingSaturated(added)
        part.mayBeEmpty = part.mayBeEmpty || isOptional
    }

    private mutating func escaped(_ byte: UInt8?) -> Part {
        switch byte {
        case .some(let digit) where digit.isDigit && digit != UInt8(ascii: "0"):
            // An extension of glibc that takes a time beyond all bounds to match.
            refusal = "it refers back with \\\(digit - UInt8(ascii: "0"))"
            return .character
        // Places between characters: other extensions.
        case UInt8(ascii: "b"), UInt8(ascii: "B"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "`"),
            UInt8(ascii: "'"):
            return Part(size: 1)
        default: return .character
        }
    }

    /// Reads `{m}`, `{m,}` or `{m,n}` from behind its brace.
    ///
    /// - Returns: `nil`, with the index as it was, for anything else.
    private static func interval(_ bytes: [UInt8], _ index: inout Int) -> (copies: Int, isOptional: Bool)? {
        var end = index
        /// Takes the next character if it is such a one. glibc takes an escaped comma or 0 for a plain one here.
        func next(where isWanted: (UInt8) -> Bool) -> UInt8? {
            var place = end
            if place + 1 < bytes.count, bytes[place] == UInt8(ascii: "\\"), ",0".utf8.contains(bytes[place + 1]) {
                place += 1
            }
            guard place < bytes.count, isWanted(bytes[place]) else { return nil }
            end = place + 1
            return bytes[place]
        }
        func number() -> Int? {
            let start = end
            var number = 0
            while let digit = next(where: { $0.isDigit }) {
                number = min(number * 10 + Int(digit - UInt8(ascii: "0")), 1 << 20)
            }
            return end > start ? number : nil
        }
        let least = number()
        var copies = least ?? 0
        if next(where: { $0 == UInt8(ascii: ",") }) != nil {
            copies = max(number() ?? copies + 1, copies)
        } else if least == nil {
            return nil
        }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "}") else { return nil }
        index = end + 1
        return (copies, (least ?? 0) == 0)
    }

    /// Passes over a set of characters from behind its opening bracket. In it a backslash stands for itself.
    private static func skipBracket(_ bytes: [UInt8], _ index: inout Int) {
        if index < bytes.count, bytes[index] == UInt8(ascii: "^") { index += 1 }
        var isFirst = true
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "]"), !isFirst { return }
            isFirst = false
            guard byte == UInt8(ascii: "["), index < bytes.count, ":.=".utf8.contains(bytes[index]) else { continue }
            // A class such as [:alpha:] within it.
            let kind = bytes[index]
            var end = index + 1
            while end + 1 < bytes.count, !(bytes[end] == kind && bytes[end + 1] == UInt8(ascii: "]")) { end += 1 }
            if end + 1 < bytes.count { index = end + 2 }
        }
    }
}
