/// A number of pages of the host's size, the unit of `statm` and of KSM's counters.
package struct Pages: Quantity {
    package var count: Int64

    @inlinable package init(_ count: Int64) { self.count = count }

    /// How much memory they are.
    ///
    /// - Parameter pageSize: Asked of the system: it need not be 4 KiB.
    package func bytes(of pageSize: Bytes) -> Bytes { Bytes(count.multipliedSaturated(by: pageSize.count)) }

    /// How much memory they are, in whole kibibytes.
    package func kibibytes(of pageSize: Bytes) -> KiB {
        // Every page size is a multiple of 1 KiB, and so the product overflows later.
        KiB(count.multipliedSaturated(by: pageSize.count / 1024))
    }
}
