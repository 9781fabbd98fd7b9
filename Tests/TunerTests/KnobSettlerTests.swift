import Glibc
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import Tuner

/// What is to be done for the knobs, without a kernel.
@Suite struct KnobSettlerTests {
    private func configuration(allowsUnmerge: Bool = true) -> Configuration {
        var configuration = Configuration()
        configuration.mergeAcrossNodes = .no
        configuration.useZeroPages = .yes
        configuration.allowsUnmerge = allowsUnmerge
        return configuration
    }

    private func settler(allowsUnmerge: Bool = true, takesEffect: Bool = true) -> KnobSettler {
        KnobSettler(
            configuration(allowsUnmerge: allowsUnmerge), found: KnobSettings(), takesEffect: takesEffect)
    }

    private func view(isMerged: Bool = false, isInLongBatch: Bool = false) -> KnobSettler.View {
        var view = KnobSettler.View()
        view.present = [.mergeAcrossNodes: .success(1), .useZeroPages: .success(0)]
        view.isAnythingMerged = .success(isMerged)
        view.isInLongBatch = .success(isInLongBatch)
        view.saved = KiB(7)
        return view
    }

    /// All that is to be done, where each write comes of it as told.
    private func actions(
        _ settler: inout KnobSettler, _ failure: (Knob) -> KernelFileError? = { _ in nil }
    ) -> [KnobSettler.Action] {
        var actions: [KnobSettler.Action] = []
        while true {
            let action = settler.next()
            if action == .rest { return actions }
            actions.append(action)
            if case .write(let knob, _) = action { settler.wrote(failure(knob)) }
            if case .clear = action { return actions }
        }
    }

    @Test func `Nothing merged: each knob is written, and reported when it is`() {
        var settler = settler()
        settler.begin(view(), mayClear: true)
        #expect(
            actions(&settler) == [
                .write(.mergeAcrossNodes, 0), .report(.changedKnob(.mergeAcrossNodes, from: 1, to: 0)),
                .write(.useZeroPages, 1), .report(.changedKnob(.useZeroPages, from: 0, to: 1)),
            ])
        #expect(settler.found[.mergeAcrossNodes] == 1)
        #expect(settler.stage == .settled)
    }

    @Test(arguments: [true, false])
    func `A change of smart_scan is told of where the operator wants it, not where the policy does`(isOperators: Bool) {
        var configuration = Configuration()
        if isOperators { configuration.smartScan = .no }
        var settler = KnobSettler(configuration, found: KnobSettings(), takesEffect: true)
        settler.setSmartScan(ofPolicy: 0)
        var view = KnobSettler.View()
        view.present = [.smartScan: .success(1)]
        settler.begin(view, mayClear: true)
        let news: [KnobSettler.Action] = [.report(.changedKnob(.smartScan, from: 1, to: 0))]
        #expect(actions(&settler) == [.write(.smartScan, 0)] + (isOperators ? news : []))
        #expect(settler.found[.smartScan] == 1)
    }

    @Test func `What the kernel does not say is not in the way`() {
        var settler = settler()
        var view = KnobSettler.View()
        view.present = [.mergeAcrossNodes: .success(1)]
        settler.begin(view, mayClear: true)
        #expect(actions(&settler).first == .write(.mergeAcrossNodes, 0))
        #expect(settler.stage == .settled)
    }

    @Test func `Something merged: a child unmerges it, and after it the knob is written`() {
        var settler = settler()
        settler.begin(view(isMerged: true), mayClear: true)
        #expect(
            actions(&settler) == [
                .write(.useZeroPages, 1), .report(.changedKnob(.useZeroPages, from: 0, to: 1)),
                .report(.unmergingFor(.mergeAcrossNodes, KiB(7))), .clear(run: 2),
            ])
        #expect(settler.stage == .clearing(run: 2))
        #expect(settler.childEnded() == 2)
        #expect(settler.isCleared)
        var view = view()
        view.present[.useZeroPages] = .success(1)
        settler.begin(view, mayClear: false)
        #expect(
            actions(&settler) == [
                .write(.mergeAcrossNodes, 0), .report(.changedKnob(.mergeAcrossNodes, from: 1, to: 0)),
            ])
        settler.settle()
        #expect(!settler.isCleared)
    }

    @Test func `A long batch: a child ends it first, but not for another hand`() {
        for mayClear in [true, false] {
            var settler = settler()
            settler.begin(view(isInLongBatch: true), mayClear: mayClear)
            #expect(
                actions(&settler).last
                    == (mayClear ? .clear(run: 0) : .report(.changedKnob(.useZeroPages, from: 0, to: 1))))
        }
    }

    @Test(arguments: [EAGAIN, EPERM])
    func `A child that could not be begun leaves everything as it was, and is a failure of the knob`(number: Int32) {
        var settler = settler()
        settler.begin(view(isMerged: true), mayClear: true)
        #expect(actions(&settler).last == .clear(run: 2))
        let error = KernelFileError(.write, "run", errno: number)
        settler.couldNotClear(error)
        #expect(settler.stage == .settled)
        let notice = Notice.knobNotCleared(.mergeAcrossNodes, error, isTriedAgain: number == EAGAIN)
        #expect(actions(&settler) == [.report(notice)])
        #expect(!settler.hasFailed)
        #expect(settler.mayClearAgain == (number == EAGAIN))
        #expect(settler.childEnded() == nil)
        // A decision in between tries nothing, and each thing is told once.
        var merged = view(isMerged: true)
        merged.present[.useZeroPages] = .success(1)
        settler.begin(merged, mayClear: false)
        #expect(actions(&settler).isEmpty)
        #expect(settler.mayClearAgain == (number == EAGAIN))
        settler.begin(merged, mayClear: true)
        #expect(actions(&settler).count == (number == EAGAIN ? 1 : 2))
        settler.couldNotClear(error)
        #expect(actions(&settler).isEmpty)
        // Where there is no room any more, it waits for a reload.
        merged.objection = .short(needed: 8, available: 7)
        settler.begin(merged, mayClear: true)
        #expect(actions(&settler).count == 1)
        #expect(!settler.mayClearAgain)
        settler.begin(view(), mayClear: false)
        #expect(actions(&settler).contains(.report(.changedKnob(.mergeAcrossNodes, from: 1, to: 0))))
    }

    @Test func `A knob that is as wanted after all, though its way was not cleared, has recovered`() {
        var settler = settler()
        #expect(!settler.mayClearAgain, "nothing was tried yet")
        settler.begin(view(isMerged: true), mayClear: true)
        _ = actions(&settler)
        settler.couldNotClear(KernelFileError(.write, "run", errno: EAGAIN))
        _ = actions(&settler)
        var done = view(isMerged: true)
        done.present = [.mergeAcrossNodes: .success(0), .useZeroPages: .success(1)]
        settler.begin(done, mayClear: false)
        #expect(actions(&settler) == [.report(.knobRecovered(.mergeAcrossNodes, 0))])
    }

    @Test func `Behind a scan that a child has ended a decision follows, also where there is no second child`() {
        var settler = settler()
        settler.begin(view(isInLongBatch: true), mayClear: true)
        #expect(actions(&settler).last == .clear(run: 0))
        #expect(settler.childEnded() == 0)
        // Pages have merged meanwhile.
        settler.begin(view(isMerged: true), mayClear: true)
        #expect(actions(&settler).last == .clear(run: 2))
        settler.couldNotClear(KernelFileError(.write, "run", errno: EAGAIN))
        #expect(settler.isCleared)
        settler.settle()
        #expect(!settler.isCleared)
    }

    @Test func `At the end it is told that a knob is not put back, and nothing is tried again`() {
        var settler = settler()
        settler.begin(view(), mayClear: true)
        _ = actions(&settler)
        settler.leave()
        var merged = view(isMerged: true)
        merged.present = [.mergeAcrossNodes: .success(0), .useZeroPages: .success(1)]
        settler.begin(merged, mayClear: true)
        #expect(actions(&settler).last == .clear(run: 2))
        let error = KernelFileError(.write, "run", errno: EAGAIN)
        settler.couldNotClear(error)
        #expect(actions(&settler) == [.report(.knobNotPutBack(.mergeAcrossNodes, error))])
        #expect(!settler.mayClearAgain)
    }

    @Test func `At the end it is told anew that everything is unmerged`() {
        var settler = settler()
        settler.begin(view(isMerged: true), mayClear: true)
        let told = KnobSettler.Action.report(.unmergingFor(.mergeAcrossNodes, KiB(7)))
        #expect(actions(&settler).contains(told))
        _ = settler.childEnded()
        settler.begin(view(), mayClear: false)
        _ = actions(&settler)
        settler.settle()
        settler.leave()
        var merged = view(isMerged: true)
        merged.present = [.mergeAcrossNodes: .success(0), .useZeroPages: .success(1)]
        settler.begin(merged, mayClear: true)
        #expect(actions(&settler).suffix(2) == [told, .clear(run: 2)])
    }

    struct Obstacle: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var obstacle: KnobObstacle
        var allowsUnmerge = true
        var mayClear = true
        var isCleared = false
        var isShort = false
    }

    @Test(arguments: [
        Obstacle(testDescription: "unmerging is not allowed", obstacle: .notAllowed, allowsUnmerge: false),
        Obstacle(testDescription: "another hand changed it", obstacle: .notNow, mayClear: false),
        Obstacle(testDescription: "everything was unmerged", obstacle: .stillMerged, mayClear: false, isCleared: true),
        Obstacle(
            testDescription: "there is no room", obstacle: .noRoom(.short(needed: KiB(9), available: KiB(8))),
            isShort: true),
    ])
    func `Why a knob waits is reported once`(_ test: Obstacle) {
        var settler = settler(allowsUnmerge: test.allowsUnmerge)
        if test.isCleared {
            settler.begin(view(isMerged: true), mayClear: true)
            _ = actions(&settler)
            _ = settler.childEnded()
        }
        var view = view(isMerged: true)
        view.present[.useZeroPages] = .success(1)
        if test.isShort { view.objection = .short(needed: KiB(9), available: KiB(8)) }
        let notice = Notice.knobWaits(.mergeAcrossNodes, present: 1, wanted: 0, test.obstacle)
        settler.begin(view, mayClear: test.mayClear)
        #expect(actions(&settler) == [.report(notice)])
        settler.begin(view, mayClear: test.mayClear)
        #expect(actions(&settler).isEmpty)
    }

    @Test func `A refusal because something is merged counts as that, another is reported`() {
        var settler = settler(allowsUnmerge: false)
        settler.begin(view(), mayClear: true)
        let failures = [Knob.mergeAcrossNodes: 16, .useZeroPages: 5].mapValues { errno in
            KernelFileError(.write, "x", errno: Int32(errno))
        }
        #expect(
            actions(&settler) { failures[$0] } == [
                .write(.mergeAcrossNodes, 0),
                .report(.knobWaits(.mergeAcrossNodes, present: 1, wanted: 0, .notAllowed)), .write(.useZeroPages, 1),
                .report(.knobFailed(.useZeroPages, KernelFileError(.write, "x", errno: 5))),
            ])
        #expect(settler.found == KnobSettings())
    }

    @Test func `A refusal for another reason is reported of a knob that needs nothing merged, too`() {
        var settler = settler()
        settler.begin(view(), mayClear: true)
        let failure = KernelFileError(.write, "x", errno: 5)
        #expect(
            actions(&settler) { _ in failure } == [
                .write(.mergeAcrossNodes, 0), .report(.knobFailed(.mergeAcrossNodes, failure)),
                .write(.useZeroPages, 1), .report(.knobFailed(.useZeroPages, failure)),
            ])
    }

    @Test func `What cannot be read is reported, and what was found of it is kept`() {
        var found = KnobSettings()
        found[.useZeroPages] = 1
        var settler = KnobSettler(configuration(), found: found, takesEffect: true)
        let error = KernelFileError(.read, "x", errno: 5)
        var view = view()
        view.present[.useZeroPages] = .failure(error)
        view.isAnythingMerged = .failure(error)
        settler.begin(view, mayClear: true)
        #expect(
            actions(&settler) == [
                .report(.knobFailed(.mergeAcrossNodes, error)), .report(.knobFailed(.useZeroPages, error)),
            ])
        #expect(settler.found[.useZeroPages] == 1)
    }
}
