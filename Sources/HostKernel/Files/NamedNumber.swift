internal import Glibc
internal import KSMPolicy

/// A number in a text of the kernel, by what stands before it.
package enum NamedNumber {
    /// The first one right behind `name`.
    package static func find(_ name: StaticString, in text: Span<UInt8>) -> Int64? {
        let first = name.byte(at: 0)
        for start in text.indices where text[start] == first {
            let rest = text.extracting(start..<text.count)
            if rest.hasPrefix(name) { return DecimalField(rest, at: name.utf8CodeUnitCount)?.value }
        }
        return nil
    }

    /// One on the first line that begins with the word `name`, with blanks, or a colon and blanks, behind it.
    ///
    /// - Parameter field: Which word behind the name it is, from 1.
    package static func find(line name: StaticString, field: Int = 1, in text: Span<UInt8>) -> Int64? {
        var start = 0
        while start < text.count {
            let end = LineEnd.find(text, from: start)
            let line = text.extracting(start..<end)
            start = end + 1
            guard line.hasPrefix(name) else { continue }
            var index = name.utf8CodeUnitCount
            if index < line.count, line[index] == UInt8(ascii: ":") { index += 1 }
            guard index < line.count, line[index].isBlank else { continue }
            for count in 1...field {
                while index < line.count, line[index].isBlank { index += 1 }
                if count == field { return DecimalField(line, at: index)?.value }
                while index < line.count, !line[index].isBlank { index += 1 }
            }
        }
        return nil
    }
}

/// Where a line of a text ends.
enum LineEnd {
    /// The index of the line break, or of the text's end.
    static func find(_ text: Span<UInt8>, from start: Int) -> Int {
        unsafe text.withUnsafeBytes { text in
            // memchr(3) looks at a vector of bytes at a time.
            guard let end = unsafe memchr(text.baseAddress! + start, 10, text.count - start) else { return text.count }
            return unsafe UnsafeRawPointer(end) - text.baseAddress!
        }
    }
}
