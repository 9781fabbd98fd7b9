/// An amount of memory in bytes.
package struct Bytes: Quantity {
    package var count: Int64

    @inlinable package init(_ count: Int64) { self.count = count }

    package init(_ amount: KiB) { self.init(amount.count.multipliedSaturated(by: 1024)) }

    package init(mebibytes count: Int64) { self.init(count.multipliedSaturated(by: 1 << 20)) }
}
