/// What one pass of ksmd over all mergeable memory brought, and what it cost.
package struct ScanPass: Equatable, Sendable {
    /// CPU time of ksmd; `nil` where it is not known.
    package var cpu: Duration?
    /// Pages that are saved now and were not before, net of those that were lost; negative where more were lost.
    package var gained: Pages
    /// Pages that KSM saw for the first time. It has hashed them, and compares them in the next pass.
    package var fresh: Pages
    /// Pages that count as ``fresh`` in the pass before, but were seen by this one: a step comes to the end of one pass
    /// and the beginning of the next.
    package var carried = Pages.zero
    /// Pages that were not compared since they had changed: what a further pass could still merge, ``fresh`` among
    /// them. Those that smart_scan passed over are not counted.
    package var left: Pages
    /// ``left``, where none of the pages that may belong to either of two passes was passed over by this one.
    package var leftAtMost = Pages.zero
    /// Pages that guests grew by before it began, as far as they are likely to be mergeable. Not all of them count as
    /// ``fresh``: KSM knows the addresses of memory that was given back and taken again, and what ended guests held
    /// leaves the counters meanwhile.
    package var expected = Pages.zero
    /// Pages for which the kernel's zero page stands now.
    package var zeroed = Pages.zero
    /// Pages passed over in the step in which it ended, by this pass or already by the next.
    package var passedOverAtEnd: Pages
    /// Pages that it came to since it was watched.
    package var visited = Pages.zero
    /// The share of the known pages that smart_scan let it look at.
    package var looked: Double
    /// Pages that it compared for the first time and that did not merge: the pages that they are like may be among
    /// those passed over.
    package var hidden = Pages.zero
}

extension ScanPass {
    /// Pages of new memory that it has hashed, and that the next pass compares.
    package var hashed: Pages { min(max(fresh + carried, expected), left) }

    /// Pages that changed in place.
    package var changed: Pages { (left - hashed).nonNegative }

    /// Takes what was to be new to it: so much of it is left as can be.
    mutating func expect(_ pages: Pages) {
        expected = pages
        left = max(left, min(leftAtMost, pages))
    }

    /// It began in the midst of the list. Of what lies before, the pass before this one knows more.
    mutating func complete(_ previous: ScanPass, start: ScanCounters, end: ScanCounters) {
        // What the other has passed over there is still counted as changed.
        let more = (end.volatile - start.volatile).nonNegative
        left = min(left, max(previous.left + more, fresh))
        let part = min(visited.share(of: end.seen), 1)
        looked = part * looked + (1 - part) * previous.looked
    }

    /// - Parameters:
    ///   - unmatched: Pages that were new in the pass before and did not merge in this one.
    ///   - known: All pages that KSM knows.
    mutating func hide(unmatched: Pages, of known: Pages) {
        hidden = min(unmatched.nonNegative, Pages(rounding: (1 - looked) * Double(known.count)))
    }
}
