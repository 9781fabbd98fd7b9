internal import KSMPolicy

/// A number in a text of the kernel, by what stands before it.
package enum NamedNumber {
    /// The first one behind `name`.
    package static func find(_ name: StaticString, in text: Span<UInt8>) -> Int64? {
        let first = name.byte(at: 0)
        for start in text.indices where text[start] == first {
            let rest = text.extracting(start..<text.count)
            if rest.hasPrefix(name) { return DecimalField(rest, at: name.utf8CodeUnitCount)?.value }
        }
        return nil
    }
}
