internal import HostKernel
package import KSMPolicy

/// What `/proc/PID/ksm_stat` says. `nil` is a line that this kernel does not have.
package struct KSMStat: Equatable, Sendable {
    /// Pages that KSM keeps track of; each costs the kernel 64 bytes.
    package var items: Int64?
    package var zeroPages: Pages?
    package var mergingPages: Pages?
    /// Can be negative.
    package var profit: Bytes?
    /// Whether all memory of the process is offered, as systemd's `MemoryKSM=` has it.
    package var offersAll: Bool?
    /// Whether any memory of the process is offered.
    package var offersAny: Bool?

    /// Whether any memory of the process is offered, or was. Kernels that do not say so show what they keep track of.
    package var isOffered: Bool {
        offersAll == true || offersAny == true || items ?? 0 > 0 || mergingPages ?? .zero > .zero
    }

    package init(parsing text: [UInt8]) {
        var start = 0
        while start < text.count {
            let line = text[start...].prefix { $0 != UInt8(ascii: "\n") }
            start = line.endIndex + 1
            guard let blank = line.firstIndex(of: UInt8(ascii: " ")) else { continue }
            let value = line[(blank + 1)...]
            // Some names end in a colon.
            let name = line[..<blank]
            if name.elementsEqual("ksm_rmap_items".utf8) { items = Self.number(value) }
            if name.elementsEqual("ksm_zero_pages".utf8) { zeroPages = Self.number(value).map { Pages($0) } }
            if name.elementsEqual("ksm_merging_pages".utf8) { mergingPages = Self.number(value).map { Pages($0) } }
            if name.elementsEqual("ksm_process_profit".utf8) { profit = Self.number(value).map { Bytes($0) } }
            if name.elementsEqual("ksm_merge_any:".utf8) { offersAll = Self.isYes(value) }
            if name.elementsEqual("ksm_mergeable:".utf8) { offersAny = Self.isYes(value) }
        }
    }

    /// - Returns: `nil` where nothing is merged, or one of both is not known.
    static func itemsPerMergedPage(items: Pages?, merged: KiB?) -> Double? {
        guard let items, let merged, merged > .zero else { return nil }
        return Double(items.kibibytes(of: Host.pageSize).count) / Double(merged.count)
    }

    private static func number(_ text: ArraySlice<UInt8>) -> Int64? {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = Array(isNegative ? text.dropFirst() : text)
        return DecimalField(digits.span, at: 0).map { isNegative ? -$0.value : $0.value }
    }

    private static func isYes(_ text: ArraySlice<UInt8>) -> Bool? {
        Bool(word: String(decoding: text, as: UTF8.self))
    }
}
