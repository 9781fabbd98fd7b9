package import KSMPolicy

/// Guests of one size, for planning; a guest that runs is a group of one.
package struct GuestGroup: Equatable, Sendable {
    package var count: Int64
    /// What each may come to use of RAM and swap, in ordinary pages.
    package var memory: KiB
    /// Of each; `nil` where it is not known.
    package var vcpus: Int64?
    /// Of a guest that runs.
    package var name: String?
    /// Whether ``memory`` is what the guest holds now, since what it is configured with is not known.
    package var isResident = false
    /// What each was started with, where it holds clearly more by now.
    package var outgrown: KiB?
    /// What each has in huge pages besides, which are never swapped and lie in a pool of their own.
    package var inHugePages = KiB.zero
    /// How much of ``memory`` of each cannot go to swap.
    package var unswappable = KiB.zero

    package init(count: Int64 = 1, memory: KiB, vcpus: Int64? = nil, name: String? = nil) {
        self.count = count
        self.memory = memory
        self.vcpus = vcpus
        self.name = name
    }

    /// Of all together.
    package var total: KiB { memory * count }

    /// Of all together. A guest of which it is not known counts as one of one, QEMU's default.
    package var totalVCPUs: Int64 { (vcpus ?? 1).multipliedSaturated(by: count) }
}

extension GuestGroup {
    package enum ParseError: Error, Equatable, Sendable {
        case notAGroup
        case noGuests
        case noVCPUs
        case size(MemorySize.ParseError)
        case tooLarge

        /// A sentence's end, behind the value.
        package var text: String {
            switch self {
            case .notAGroup: "guests are given as NxSIZE or NxSIZE/VCPUS, such as 50x1G or 4x16G/8"
            case .noGuests: "the number of guests must be above 0"
            case .noVCPUs: "the number of virtual CPUs must be above 0"
            case .size(let error): error.text
            case .tooLarge: "it is more than 64 bits hold"
            }
        }
    }

    /// `50x1G` or `4x16G/8`: how many, how large each, and how many virtual CPUs each has, by default 1.
    package init(parsing text: String) throws(ParseError) {
        let bytes = Array(text.utf8)
        var rest = bytes[...]
        guard let first = rest.first, first.isDigit else { throw .notAGroup }
        let number = MemorySize.takeNumber(&rest)
        guard let letter = rest.first, letter | 0x20 == UInt8(ascii: "x") else {
            // Of digits without end, nothing can be said of what stands behind.
            throw number == nil ? .tooLarge : .notAGroup
        }
        rest.removeFirst()
        guard let count = number else { throw .tooLarge }
        guard count > 0 else { throw .noGuests }
        var vcpus: Int64 = 1
        if let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
            var digits = rest[(slash + 1)...]
            guard !digits.isEmpty else { throw .notAGroup }
            guard let number = MemorySize.takeNumber(&digits) else { throw .tooLarge }
            guard digits.isEmpty else { throw .notAGroup }
            guard number > 0 else { throw .noVCPUs }
            vcpus = number
            rest = rest[..<slash]
        }
        let memory: KiB
        do throws(MemorySize.ParseError) {
            memory = try MemorySize.parse(rest)
        } catch {
            throw .size(error)
        }
        guard memory > .zero else { throw .size(.notASize) }
        self.init(count: count, memory: memory, vcpus: vcpus)
        guard total.count <= .max / 1024, totalVCPUs < .max else { throw .tooLarge }
    }
}
