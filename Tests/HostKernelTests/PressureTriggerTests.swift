import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@Suite struct PressureThresholdWindowTests {
    @Test(arguments: ["some 150ms/1s", "full 1us/500ms", "some 1500ms/2s", "some 1500us/2500ms", "some 1s/10s"])
    func `a threshold is written as it is read`(_ text: String) throws {
        #expect(try PressureThreshold(parsing: text).word == text)
    }

    @Test(arguments: [
        ("some 150ms/1s", "some 300ms/2s"), ("full 1us/500ms", "full 4us/2s"), ("some 1s/1s", "some 2s/2s"),
        ("some 150ms/3s", "some 200ms/4s"), ("some 1500ms/9s", "some 1666666us/10s"),
        ("some 1s/2000001us", "some 1999999us/4s"),
    ])
    func `the same share of a window that is a multiple of two seconds`(asked: String, wider: String) throws {
        #expect(try PressureThreshold(parsing: asked).withUnprivilegedWindow?.word == wider)
    }

    @Test(arguments: ["some 150ms/2s", "full 1us/10s"])
    func `a window that is one already stays`(asked: String) throws {
        #expect(try PressureThreshold(parsing: asked).withUnprivilegedWindow == nil)
    }

    @Test func `the kernel is told microseconds`() throws {
        #expect(try PressureThreshold(parsing: "some 150ms/1s").trigger == "some 150000 1000000")
    }
}

@Suite struct PressureTriggerTests {
    private static let threshold = PressureThreshold(
        .some, stall: .microseconds(150_000), window: .microseconds(1_000_000))
    private static let file = HostPaths().memoryPressure

    /// A waiter blocks signals for good, and this thread goes on to other tests.
    private func withWaiter(_ paths: HostPaths, _ body: (inout Waiter) throws -> Void) throws {
        var mask = sigset_t()
        unsafe pthread_sigmask(SIG_SETMASK, nil, &mask)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &mask, nil) }
        var waiter = try Waiter(paths)
        try body(&waiter)
    }

    @Test func `a kernel without it is an error that tells so`() throws {
        let host = FakeHost()
        do throws(KernelFileError) {
            _ = try PressureTrigger(host.paths, Self.threshold)
            Issue.record("there was a trigger")
        } catch {
            #expect(error.isMissing)
            #expect("\(SourceNotice.noPressure(error))".contains("CONFIG_PSI"))
        }
    }

    @Test func `the text ends with a zero byte`() throws {
        let host = FakeHost()
        host.write("", to: "proc/pressure/memory")
        let trigger = try PressureTrigger(host.paths, Self.threshold)
        #expect(trigger.threshold == Self.threshold)
        #expect(host.read("proc/pressure/memory") == "some 150000 1000000\0")
    }

    @Test(
        .enabled(if: FileManager.default.isWritableFile(atPath: file), "this kernel has no \(file) that may be written")
    )
    func `the kernel takes the window, or one of two seconds, and it is told once`() throws {
        try withWaiter(HostPaths()) { waiter in
            waiter.watchPressure(Self.threshold)
            let notices = waiter.takeNotices()
            let wider = PressureThreshold(.some, stall: .microseconds(300_000), window: .microseconds(2_000_000))
            #expect(notices == [] || notices == [.otherPressure(asked: Self.threshold, inForce: wider)])
            waiter.watchPressure(Self.threshold)
            #expect(waiter.takeNotices() == [])
            waiter.watchPressure(wider)
            waiter.watchPressure(nil)
            #expect(waiter.takeNotices() == [])
        }
    }

    @Test(.enabled(if: FileManager.default.isReadableFile(atPath: file), "this kernel has no \(file)"))
    func `a trigger that the kernel dropped is told once, and does not keep awake`() throws {
        try withWaiter(HostPaths()) { waiter in
            // A file without a trigger polls as one whose trigger is gone.
            waiter.watchPressure(
                PressureTrigger(adopting: try FileDescriptor(opening: Self.file, O_RDONLY), Self.threshold))
            #expect(!waiter.wait(until: waiter.now + .seconds(1)).contains(.pressure))
            let notices = waiter.takeNotices()
            #expect(notices.count == 1)
            #expect("\(notices[0])".contains("the kernel dropped the trigger"))
            let began = waiter.now
            while waiter.now < began + .milliseconds(20) { _ = waiter.wait(until: began + .milliseconds(20)) }
            #expect(waiter.takeNotices() == [])
        }
    }

    @Test func `a tree that stands for a host hears nothing of this machine`() throws {
        let host = FakeHost()
        host.write("", to: "proc/pressure/memory")
        try withWaiter(host.paths) { waiter in
            waiter.watchPressure(Self.threshold)
            #expect(host.read("proc/pressure/memory") == "")
            #expect(waiter.wait(until: waiter.now + .milliseconds(1)) == [])
            #expect(waiter.takeNotices() == [])
        }
    }
}
