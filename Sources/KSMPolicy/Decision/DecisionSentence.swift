extension Decision {
    /// The decision and its reason as one sentence without a full stop, for people.
    ///
    /// It states the comparison that was made with the numbers that were compared, so that it can be checked.
    package var sentence: String {
        switch reason {
        case .plenty:
            "not scanning: \(memory.committed) committed + \(threshold) threshold < \(total) total, "
                + "and \(memory.free) free > threshold"
        case .shortage:
            "\(effort): \(memory.free) free < \(threshold) threshold"
        case .easing:
            if committedWithThreshold < total {
                "\(effort): free is exactly the \(threshold) threshold"
            } else {
                "\(effort): \(memory.committed) committed + \(threshold) threshold >= \(total) total, "
                    + "but \(memory.free) free is not below the threshold"
            }
        }
    }

    private var effort: String {
        "scanning \(pagesToScan) pages every \(sleepMilliseconds) ms"
    }
}
