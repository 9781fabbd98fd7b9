import HostKernel
import KSMPolicy
import Tuner

/// Keeps messages that come too fast from filling the log: a program that writes KSM's files ten times a second with
/// ever other values, say. What was left out is told behind the minute: how many there were, and the last of each subject,
/// since what lasts is told once, and could have been told for the only time.
struct Flood {
    /// The messages of one minute.
    static let most = 60
    static let span = Duration.seconds(60)

    struct LeftOut: Equatable {
        var count = 0
        /// The last of each subject, in the order in which they came.
        var last: [Notice] = []
    }

    private var began: Instant?
    private var count = 0
    private var leftOut = LeftOut()

    enum Verdict: Equatable {
        case pass
        /// The first one that is too much.
        case last
        case drop
    }

    /// - Returns: What to do with a message, behind ``takeLeftOut(at:isEnding:)``.
    mutating func hear(_ notice: Notice, at now: Instant) -> Verdict {
        if isOver(at: now) {
            began = now
            count = 0
        }
        count += 1
        guard count > Self.most else { return .pass }
        leftOut.count += 1
        leftOut.last.removeAll { $0.subject == notice.subject }
        leftOut.last.append(notice)
        return count == Self.most + 1 ? .last : .drop
    }

    /// What was left out in a minute that is over, or in one under way where the daemon `isEnding`; `nil` for nothing.
    mutating func takeLeftOut(at now: Instant, isEnding: Bool = false) -> LeftOut? {
        guard leftOut.count > 0, isEnding || isOver(at: now) else { return nil }
        defer { leftOut = LeftOut() }
        return leftOut
    }

    private func isOver(at now: Instant) -> Bool { began.map { now - $0 >= Self.span } ?? true }
}

extension Notice {
    /// What a message is about, so that the end of something takes the place of its beginning, and nothing else's.
    fileprivate enum Subject: Equatable {
        case area(Area)
        case file(KSMFile)
        case knob(Knob)
        case ksmd, advisor, noAdvisor, writing, memory, room, machines, pressure, end
    }

    fileprivate var subject: Subject {
        switch self {
        case .failed(let area, _), .recovered(let area): .area(area)
        case .foreignWrite(let file, _, _): .file(file)
        case .leftUnmerged: .file(.run)
        case .changedKnob(let knob, _, _), .unmergingFor(let knob, _), .knobWaits(let knob, _, _, _),
            .knobKept(let knob, _, _, _), .knobFailed(let knob, _), .knobNotCleared(let knob, _, _),
            .knobRecovered(let knob, _), .noKnob(let knob), .knobNotPutBack(let knob, _):
            .knob(knob)
        case .ksmdNotScheduled, .ksmdScheduled, .foreignScheduling, .ksmdStarved, .ksmdNotPutBack: .ksmd
        case .displacedAdvisor, .restartedAdvisor: .advisor
        case .noAdvisor: .noAdvisor
        case .stillWriting: .writing
        case .memoryChanged: .memory
        case .unmergeDoesNotFit: .room
        case .source(.noMachineEvents), .source(.machineEventsAgain), .source(.manyMachineEvents): .machines
        case .source(.noPressure), .source(.pressureAgain), .source(.otherPressure): .pressure
        case .notPutBack, .notKnownToRestore, .leftStopped: .end
        }
    }
}
