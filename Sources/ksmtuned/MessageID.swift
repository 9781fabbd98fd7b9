/// The `MESSAGE_ID` of each kind of journal entry; see sd-id128(3). Queries use them, so they never change.
enum MessageID: String, CaseIterable {
    /// The daemon is ready.
    case started = "f56d325cff0544b8b51e2ac0ffafc478"
    /// KSM was stopped, or nothing was known, and scans now.
    case scanStarted = "6c3e2bfbf56b45fdaf9155e4111fe427"
    /// KSM scans no more.
    case scanStopped = "1a7a24e96ebf41bab8e0e5e6694b3c78"
    /// KSM goes on scanning for another reason: shortage became easing, or the reverse.
    case scanChanged = "13658b89133c415885e2d0036c167d0c"
    /// A debug line in the wording of the original.
    case debugLine = "cd7e4ef9680940bd897f30043dabe4de"
    /// A line of the configuration is wrong or odd.
    case configurationProblem = "c477bb1493e94a6c9c53ab0114e7176f"
    /// A reload brought a new configuration into force.
    case configurationLoaded = "790f4c4e45fe4d3e961731f20f6c5b7d"
    /// A reload found errors; the previous configuration stays in force.
    case configurationRefused = "54440928eeec41b8b630115baeae400a"
    /// A file of the host could not be read or written.
    case failed = "e04115e34d4f44809cfda92b2073c5c1"
    /// What failed works again.
    case recovered = "b5ff3f16eee346709dc8b5f9d42debee"
    /// Something else wrote a knob of KSM.
    case foreignWrite = "9f0d595cf32d4315a398d7d50fe9574a"
    /// The kernel's advisor was switched off.
    case advisorDisplaced = "51cfddea51eb4140bf4479560352a571"
    /// A knob that the operator set was changed, or everything is unmerged for that.
    case knobChanged = "623e7f78ce9f4d7298970f1ed64edb75"
    /// There was no room to unmerge, or a knob that needs it waits.
    case unmergeRefused = "934f3338adc747a0b2d7b5d6e4b9ed5b"
    /// The host's memory is another than before, and the threshold with it.
    case memoryChanged = "c4bc99331e7b4e5d931581fbdb18ad36"
    /// The daemon cannot do its work here.
    case refusedToStart = "91b1f149d49047e3a8f9c941b3757918"
    /// The daemon ended in order.
    case ended = "46032418f032472bb981cdc26184d950"
}
