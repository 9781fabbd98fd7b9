package import HostKernel
package import KSMPolicy

/// Something that a step met and that an operator should know. Each is reported once, when it changes.
package enum Notice: Equatable, Sendable {
    /// What a step needs to read or to write.
    package enum Area: CaseIterable, Sendable {
        case memory, guests, metric, counters
        /// What a guest holds, or whether a process is one.
        case guestReadings
        /// What a guest does.
        case guestActivity
        /// The command line of a process that gives no answer.
        case commandLines
        /// What KSM's files hold; and to write them.
        case knobValues, knobs
    }

    case failed(Area, KernelFileError)
    case recovered(Area)
    /// Something else wrote a knob since the last decision. Of the advisor's mode, 1 where it is on.
    case foreignWrite(KSMFile, expected: Int64, found: Int64)
    /// The kernel's advisor set the pace, and was switched off.
    case displacedAdvisor
    /// This kernel has none to hand the pace to.
    case noAdvisor
    /// The kernel's advisor had fallen far below what a pass in the time asked for needs, and was started anew.
    case restartedAdvisor(pages: Int64, start: Int64)
    /// The kernel has not yet taken the last write to `run`, so there is no decision this time.
    case stillWriting
    /// The host has more memory, or less, than when the threshold was computed.
    case memoryChanged(from: KiB, ClassicPolicy)
    /// Something else unmerged everything while the adaptive policy rests, and it stays so until the next scan.
    case leftUnmerged
    /// Unmerging would need more memory than there is, or may.
    case unmergeDoesNotFit(UnmergeObjection)
    /// A knob was given another value.
    case changedKnob(Knob, from: Int64, to: Int64)
    /// Everything is about to be unmerged to change a knob.
    case unmergingFor(Knob, KiB)
    /// Merged pages keep a knob from being changed.
    case knobWaits(Knob, present: Int64, wanted: Int64, KnobObstacle)
    /// At the end merged pages keep a knob from being put back.
    case knobKept(Knob, present: Int64, found: Int64, KnobObstacle)
    /// A knob could not be read or written.
    case knobFailed(Knob, KernelFileError)
    /// What is in the way of a knob could not be cleared.
    case knobNotCleared(Knob, KernelFileError, isTriedAgain: Bool)
    /// One that could not be read or written holds what it should.
    case knobRecovered(Knob, Int64)
    /// This kernel does not have a knob that is set.
    case noKnob(Knob)
    /// At the end a file could not be given back what it held.
    case notPutBack(KernelFileError)
    /// What files that were written to held before could not be read, so that it cannot be put back.
    case notKnownToRestore([KSMFile])
    /// ksmd could not be given what the operator wants, and now it could.
    case ksmdNotScheduled(KsmdScheduling, KernelFileError)
    case ksmdScheduled(Scheduling)
    /// Something else changed how ksmd is scheduled.
    case foreignScheduling(expected: Scheduling, found: Scheduling)
    /// ksmd was ready without a CPU for this share of the time, and has its own scheduling again.
    case ksmdStarved(SchedulingChange, share: Double)
    /// ksmd could not be given back what it had.
    case ksmdNotPutBack(SchedulingChange, KernelFileError)
    /// KSM ran before, and does not at the end, since its pace could not be put back.
    case leftStopped
    /// At the end a knob could not be read or written.
    case knobNotPutBack(Knob, KernelFileError)
    /// Events do not come, or come in another way than was asked for.
    case source(SourceNotice)
}

/// Why a knob that the kernel changes only while nothing is merged stays as it is.
package enum KnobObstacle: Equatable, Sendable {
    /// `KSM_ALLOW_UNMERGE=` is no.
    case notAllowed
    /// It may be unmerged for a start or a reload, not for each hand that changes it.
    case notNow
    /// Everything was unmerged, and something is merged all the same.
    case stillMerged
    /// Unmerging would need more memory than there is, or may.
    case noRoom(UnmergeObjection)
}

extension Notice: CustomStringConvertible {
    package var description: String {
        switch self {
        case .failed(.memory, let error), .failed(.guests, let error), .failed(.counters, let error),
            .failed(.guestReadings, let error), .failed(.guestActivity, let error):
            "\(error), so KSM stays as it is until that can be read"
        case .failed(.metric, let error):
            "\(error), counting the resident size of such guests instead"
        case .failed(.commandLines, let error):
            "\(error): such a process counts as no guest unless its name or its virtual machine says that it is one, asking it "
                + "again later"
        case .failed(.knobs, let error):
            "\(error), trying again at the next decision"
        case .recovered(.memory): "the host's memory can be read again"
        case .recovered(.guests): "the processes can be listed again"
        case .recovered(.guestReadings): "every guest can be read again"
        case .recovered(.commandLines): "every command line can be read again"
        case .recovered(.guestActivity): "the CPU time of every guest can be read again"
        case .failed(.knobValues, let error):
            "\(error), so what something else writes there goes unnoticed until that can be read"
        case .recovered(.knobValues): "KSM's files can be read again"
        case .recovered(.metric): "the guests' memory can be read by the configured metric again"
        case .recovered(.counters): "KSM's counters can be read again"
        case .recovered(.knobs): "KSM can be controlled again"
        case .foreignWrite(let file, let expected, let found):
            "something else changed \(file.name) from \(file.text(expected)) to \(file.text(found)), going on by the "
                + "configured policy"
        case .displacedAdvisor:
            "the kernel's advisor set the pace (advisor_mode scan-time), switched it off"
        case .noAdvisor:
            "this kernel has no advisor (it came with Linux 6.8): KSM_POLICY=advisor sets the pace by the classic rule"
        case .restartedAdvisor(let pages, let start):
            "the kernel's advisor had fallen to \(pages) pages, started it anew from \(start)"
        case .stillWriting:
            "the kernel has not finished the scan that the last write to run waits for, deciding again after it"
        case .memoryChanged(let before, let policy):
            "this host has \(policy.total) of memory now, and had \(before): the threshold is \(policy.threshold), "
                + "the sleep \(policy.sleepMilliseconds) ms"
        case .leftUnmerged:
            "something else unmerged everything (run 2): it stays so until the next scan begins"
        case .unmergeDoesNotFit(let objection):
            "\(objection): stopping the scan, the pages stay merged"
        case .changedKnob(let knob, let old, let new): "\(knob.file.name) is \(new) now, and was \(old)"
        case .unmergingFor(let knob, let saved):
            "unmerging \(saved), since the kernel changes \(knob.file.name) only while nothing is merged"
        case .knobWaits(let knob, let present, let wanted, let obstacle):
            "\(knob.file.name) stays \(present) and is not \(wanted) yet, since the kernel changes it only while "
                + "nothing is merged\(obstacle.remedy)"
        case .knobKept(let knob, let present, let found, let obstacle):
            "\(knob.file.name) stays \(present) and is not put back to \(found), since the kernel changes it only while "
                + "nothing is merged\(obstacle.atEnd): the next ksmtuned puts it back"
        case .knobFailed(let knob, let error): "\(error), so \(knob.setting.name)= has no effect"
        case .knobNotCleared(let knob, let error, let isTriedAgain):
            "\(error), so merged pages or a long scan stay in the way of \(knob.setting.name)=, which has no effect: "
                + (isTriedAgain ? "trying again" : "reload the configuration to try again")
        case .knobRecovered(let knob, let value): "\(knob.file.name) can be controlled again, and is \(value)"
        case .noKnob(let knob):
            "this kernel has no \(knob.file.name) (\(knob.origin)), so \(knob.setting.name)= has no effect"
        case .notPutBack(let error): "\(error), leaving it as it is"
        case .notKnownToRestore(let files):
            "what \(Self.list(files)) held before the start could not be read, so it cannot be put back"
                + (files.contains(.run) ? ": stopping KSM" : "")
        case .ksmdNotScheduled(let wish, let error):
            "\(error), so KSM_KSMD_SCHEDULING=\(wish.quoted) has no effect and ksmd competes with guests as ever: "
                + "give the daemon CAP_SYS_NICE, as ksmtuned.service does, or set KSM_KSMD_SCHEDULING=keep"
        case .ksmdScheduled(let given): "ksmd can be scheduled again, and has \(given)"
        case .foreignScheduling(let expected, let found):
            "something else changed ksmd's scheduling from \(expected) to \(found): leaving it so until a reload"
        case .ksmdStarved(let change, let share):
            "ksmd was without a CPU for \(Int64(saturating: share * 100)) % of the last seconds, and guests wait for "
                + "locks that it holds: giving it \(change.found) for up to \(KsmdStarvation.pause.milliseconds / 1000) s "
                + "instead of \(change.given)"
        case .ksmdNotPutBack(let change, let error):
            "\(error), so ksmd keeps \(change.given), and had \(change.found): put it back with "
                + "\(change.found.remedy)"
        case .leftStopped: "KSM ran before the start, and is left stopped, since not all of its pace could be put back"
        case .knobNotPutBack(let knob, let error): "\(error), so \(knob.file.name) is not put back"
        case .source(let notice): notice.description
        }
    }
}

extension Notice {
    private static func list(_ files: [KSMFile]) -> String {
        var text = ""
        for (index, file) in files.enumerated() {
            if index > 0 { text += index == files.count - 1 ? " and " : ", " }
            text += file.name
        }
        return text
    }
}

extension KSMFile {
    /// A value of it as the kernel writes it; of the advisor's mode, 1 where it is on.
    fileprivate func text(_ value: Int64) -> String {
        self == .advisorMode ? (value == 1 ? AdvisorMode.scanTime : .none).word : "\(value)"
    }
}

extension Scheduling {
    /// The commands that give it to ksmd.
    fileprivate var remedy: String {
        let option = policy == .idle ? "-i" : policy == .batch ? "-b" : "-o"
        return "chrt \(option) -p 0 $(pgrep -x ksmd) && renice -n \(nice) -p $(pgrep -x ksmd)"
    }
}

extension KnobObstacle {
    /// What to do, behind what is wrong.
    fileprivate var remedy: String {
        switch self {
        case .notAllowed: ": set KSM_ALLOW_UNMERGE=yes, or stop the guests, or set it at boot before they start"
        case .notNow: ": reload the configuration to have everything unmerged for it, or stop the guests"
        case .stillMerged:
            ", and something is merged although everything was unmerged: stop the guests, or reload "
                + "the configuration to try again"
        case .noRoom(let objection):
            "; \(objection): make room and reload the configuration, or stop the guests"
        }
    }

    /// Why, of a daemon that nobody can tell to try again.
    fileprivate var atEnd: String {
        switch self {
        case .notAllowed: " and KSM_ALLOW_UNMERGE is no"
        case .notNow: ""
        case .stillMerged: ", and something is merged although everything was unmerged"
        case .noRoom(let objection): "; \(objection)"
        }
    }
}
