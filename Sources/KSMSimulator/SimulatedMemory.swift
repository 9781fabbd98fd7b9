extension SimulatedKSM {
    /// What the pages of a region hold.
    package enum Contents: Equatable, Sendable {
        /// The same in all guests that have a region of this template and size.
        case same(template: Int)
        case zero
        /// Like no other page.
        case unique
        /// Like no other page, and rewritten once in each period, in seconds.
        case volatile(period: Double)
        /// Rewritten each second until this time, and the same in all guests from then on.
        case settling(until: Double, template: Int)
        /// Like no other page until this time, and the same in all guests from then on, without having been away.
        case becoming(at: Double, template: Int)
    }

    package struct Region: Equatable, Sendable {
        package var contents: Contents
        package var pages: Int64

        package init(_ contents: Contents, pages: Int64) {
            self.contents = contents
            self.pages = pages
        }
    }

    /// CPU time per page, in seconds.
    package struct Costs: Sendable {
        package var hashed = 1 / 1.5e6
        package var compared = 1 / 0.25e6
        package var merged = 0.4e-6
        package var skipped = 0.05e-6

        package init() {}
    }

    // MARK: As ksmd sees it

    /// Pages that are handled alike: growth and passes go by these.
    struct Block {
        enum State { case unseen, hashed, unstable, merged, zeroed }
        var contents: Contents
        var pages: Int64
        var index: Int
        /// When it is filled.
        var comes: Double
        var state = State.unseen
        var version = 0
        var age = 0
        var remainingSkips = 0
        /// Given back to the host, and not taken again.
        var isAbsent = false
        /// How often it was taken again: each time with new contents.
        var takes = 0
        /// What it is counted as a copy of, while it is merged.
        var mergedAs: ClassKey?

        func isThere(at now: Double) -> Bool { !isAbsent && comes <= now && pages > 0 }
    }

    struct Guest {
        var id: Int64
        var blocks: [Block]
        /// When it lets KSM merge it.
        var offered: Double
        var isGone = false
        /// When it has filled its memory, and what it holds then.
        var filled: Double
        var pages: Int64
        /// Blocks that it has given back.
        var absent = 0
    }

    /// Blocks with the same key hold the same.
    struct ClassKey: Hashable {
        var template: Int
        var index: Int
        var pages: Int64

        /// One number instead of three: large hosts ask for hundreds of thousands of keys at each look.
        func hash(into hasher: inout Hasher) { hasher.combine(template &* 64 &+ index) }
    }

    /// What KSM knows of blocks that hold the same.
    struct Class {
        /// Blocks that share one.
        var copies = 0
        /// A block in the unstable tree of a pass, which waits for a page like it.
        var candidate: (pass: Int64, guest: Int64, block: Int)?
    }
}
