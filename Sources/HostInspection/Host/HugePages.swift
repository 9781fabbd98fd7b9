package import HostKernel
internal import KSMPolicy

/// Transparent huge pages, and the kernel's thread that builds them again; see
/// `Documentation/admin-guide/mm/transhuge.rst`.
package struct HugePages: Equatable, Sendable {
    package enum Mode: String, Sendable {
        /// For all memory.
        case always
        /// For memory that its program asks it for, as QEMU does for its guests'.
        case madvise
        case never
    }

    package var mode: Mode
    /// How many small pages without memory, the zero page among them, khugepaged may fill up for a huge page.
    /// `khugepaged/max_ptes_none`
    package var emptyPages: Int64?
    /// How many shared small pages, merged ones among them, it may give copies for a huge page.
    /// `khugepaged/max_ptes_shared`, since Linux 5.8
    package var sharedPages: Int64?

    package init(mode: Mode, emptyPages: Int64? = nil, sharedPages: Int64? = nil) {
        self.mode = mode
        self.emptyPages = emptyPages
        self.sharedPages = sharedPages
    }

    /// - Returns: `nil` where this kernel has none.
    /// - Throws: ``KernelFileError`` also for a mode that this program does not know.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> HugePages? {
        // All modes in a row, the present one in brackets: `always [madvise] never`.
        let path = paths.hugePages + "/enabled"
        guard let modes = try SmallFile.text(path) else { return nil }
        guard let open = modes.firstIndex(of: "["), let close = modes[open...].firstIndex(of: "]"),
            let mode = Mode(rawValue: String(modes[modes.index(after: open)..<close]))
        else { throw SmallFile.notUnderstood(path, "it says \(modes.printable)") }
        return HugePages(
            mode: mode, emptyPages: try SmallFile.number(paths.hugePages + "/khugepaged/max_ptes_none"),
            sharedPages: try SmallFile.number(paths.hugePages + "/khugepaged/max_ptes_shared"))
    }
}
