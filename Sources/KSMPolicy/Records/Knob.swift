/// A file of KSM that says how pages are merged, not how fast. Its value is the operator's.
package enum Knob: Int, CaseIterable, Sendable {
    case mergeAcrossNodes
    case maxPageSharing
    case useZeroPages
    case smartScan

    package var setting: Setting {
        switch self {
        case .mergeAcrossNodes: .mergeAcrossNodes
        case .maxPageSharing: .maxPageSharing
        case .useZeroPages: .useZeroPages
        case .smartScan: .smartScan
        }
    }

    /// Whether the kernel changes it only while nothing is merged, and refuses with EBUSY otherwise.
    package var needsNothingMerged: Bool { self == .mergeAcrossNodes || self == .maxPageSharing }

    /// The values that the kernel's file takes.
    package var range: ClosedRange<Int64> {
        switch self {
        case .mergeAcrossNodes, .useZeroPages, .smartScan: 0...1
        case .maxPageSharing: 2...Int64(Int32.max)
        }
    }

    /// The kernels that have the file, for a message about one that does not.
    package var origin: String {
        switch self {
        case .mergeAcrossNodes: "it came with Linux 3.9, and only kernels with CONFIG_NUMA have it"
        case .maxPageSharing: "it came with Linux 4.13"
        case .useZeroPages: "it came with Linux 4.12"
        case .smartScan: "it came with Linux 6.7"
        }
    }
}

/// A value for some of the knobs.
package struct KnobSettings: Equatable, Sendable {
    private var values: [Int64?] = Array(repeating: nil, count: Knob.allCases.count)

    package init() {}

    /// What the operator wants of them.
    package init(_ configuration: Configuration) {
        for knob in Knob.allCases { self[knob] = configuration.wanted(knob) }
    }

    /// Whether there is none of any.
    package var isEmpty: Bool { values.allSatisfy { $0 == nil } }

    /// `nil` where there is none.
    package subscript(_ knob: Knob) -> Int64? {
        get { values[knob.rawValue] }
        set { values[knob.rawValue] = newValue }
    }
}

extension Configuration {
    /// What the operator wants of a knob, as the kernel's file takes it; `nil` to leave it alone.
    package func wanted(_ knob: Knob) -> Int64? {
        switch knob {
        case .mergeAcrossNodes: mergeAcrossNodes.map { $0 == .yes ? 1 : 0 }
        case .maxPageSharing: maxPageSharing
        case .useZeroPages: useZeroPages.map { $0 == .yes ? 1 : 0 }
        case .smartScan: smartScan.map { $0 == .yes ? 1 : 0 }
        }
    }
}
