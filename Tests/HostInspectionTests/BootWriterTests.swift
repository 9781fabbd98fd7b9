import Foundation
import HostFixtures
import HostInspection
import HostKernel
import Testing

@Suite struct BootWriterTests {
    private static func found(_ host: FakeHost) -> [String] {
        writers(host).map { "\($0.path.dropFirst(host.root.path.count)): \($0.file ?? "?")" }
    }

    private static func writers(_ host: FakeHost) -> [BootWriter] {
        var failures: [KernelFileError] = []
        defer { #expect(failures.isEmpty) }
        return BootWriter.find(host.paths, &failures)
    }

    @Test func `What cannot be read is named, and keeps nothing else from being found`() {
        let host = FakeHost()
        host.link("etc/sysfs.conf", to: "sysfs.conf")
        host.write("#!/bin/sh\necho 1 >/sys/kernel/mm/ksm/run\n", to: "etc/rc.local")
        var failures: [KernelFileError] = []
        #expect(BootWriter.find(host.paths, &failures).map { $0.file } == ["run"])
        #expect(failures == [KernelFileError(.read, host.path("etc/sysfs.conf"), errno: 40)])
    }

    @Test func `A host has none`() {
        #expect(Self.found(FakeHost()) == [])
    }

    @Test func `Settings of sysfs, temporary files, scripts and tables of cron`() {
        let host = FakeHost()
        host.write(
            "# kernel/mm/ksm/run = 0\n\t ;kernel/mm/ksm/run = 0\nkernel/mm/ksm/run = 1\nmode kernel/mm/ksm/run = 0644\n",
            to: "etc/sysfs.conf")
        host.write("  kernel/mm/ksm/pages_to_scan=500\n", to: "etc/sysfs.d/ksm.conf")
        host.write("kernel/mm/ksm/run = 1\n", to: "etc/sysfs.d/ksm.conf.old")
        host.write("w /sys/kernel/mm/ksm/run - - - - 1\n", to: "usr/lib/tmpfiles.d/ksm.conf")
        host.write("w /sys/kernel/mm/ksm/sleep_millisecs - - - - 5\n", to: "etc/tmpfiles.d/more.conf")
        host.write("#!/bin/sh\necho 1 >/sys/kernel/mm/ksm/run\n", to: "etc/rc.local")
        host.write("@reboot root cd /sys/kernel/mm/ksm && echo 1 > run\n", to: "etc/cron.d/ksm")
        host.write("# kernel/mm/ksm is not written here\n", to: "etc/crontab")
        #expect(
            Self.found(host) == [
                "/etc/sysfs.conf: run", "/etc/sysfs.conf: run", "/etc/sysfs.d/ksm.conf: pages_to_scan",
                "/etc/tmpfiles.d/more.conf: sleep_millisecs", "/usr/lib/tmpfiles.d/ksm.conf: run", "/etc/rc.local: run",
                "/etc/cron.d/ksm: ?",
            ])
        #expect(Self.writers(host)[3].line == "w /sys/kernel/mm/ksm/sleep_millisecs - - - - 5")
    }

    @Test(
        arguments: [
            ("* * * * * root cat /sys/kernel/mm/ksm/run >> /var/log/ksm", nil),
            ("* * * * * root x </sys/kernel/mm/ksm/run", nil), ("* * * * * root x < /sys/kernel/mm/ksm/run", nil),
            ("* * * * * root /bin/cat /sys/kernel/mm/ksm/run", nil),
            ("@reboot root cat /sys/kernel/mm/ksm/run; echo 5 > /sys/kernel/mm/ksm/pages_to_scan", "pages_to_scan"),
            ("@reboot root tee /sys/kernel/mm/ksm/run", "run"), ("@reboot root echo 1 >/sys/kernel/mm/ksm/run", "run"),
            ("@reboot root cat x > /sys/kernel/mm/ksm/run", "run"),
            ("@reboot root cp /opt/cat /sys/kernel/mm/ksm/run", "run"),
            ("@reboot root tee < /etc/cat /sys/kernel/mm/ksm/run", "run"),
            (#"* * * * * root [ "$(cat /sys/kernel/mm/ksm/run)" = 1 ] && x"#, nil),
            ("@reboot root x=$(cat /sys/kernel/mm/ksm/run)", nil),
            ("* * * * * root sh -c 'cat /sys/kernel/mm/ksm/run'", nil),
            ("# x\r\n@reboot root x > /sys/kernel/mm/ksm/run\r", "run"),
            ("# x \\\n@reboot root x > /sys/kernel/mm/ksm/run", "run"),
            ("x \\\n# y > /sys/kernel/mm/ksm/run", nil),
        ] as [(String, String?)])
    func `A line that only reads does not count`(line: String, file: String?) {
        let host = FakeHost()
        host.write(line + "\n", to: "etc/crontab")
        #expect(Self.writers(host).map { $0.file } == (file.map { [$0] } ?? []))
    }

    @Test func `Lines of scripts and units go on behind a backslash, but not behind an empty line`() {
        let host = FakeHost()
        host.write("x \\\n  > /sys/kernel/mm/ksm/run\n", to: "etc/rc.local")
        host.write("x \\\n  > /sys/kernel/mm/ksm/run\n", to: "etc/crontab")
        host.write(
            "[Service]\nEnvironment=A=b \\\n\nExecStart=sh -c 'x > /sys/kernel/mm/ksm/run'\n",
            to: "etc/systemd/system/x.service")
        host.createFolder("etc/systemd/system/multi-user.target.wants")
        host.link("etc/systemd/system/multi-user.target.wants/x.service", to: "/nowhere")
        #expect(
            Self.found(host) == ["/etc/rc.local: run", "/etc/crontab: run", "/etc/systemd/system/x.service: run"])
        #expect(
            Self.writers(host).map { $0.line }.prefix(2) == [
                "x > /sys/kernel/mm/ksm/run", "> /sys/kernel/mm/ksm/run",
            ])
    }

    @Test func `A command of a unit goes on behind a backslash, and a name may have dots`() {
        let host = FakeHost()
        host.write(
            "[Service]\nExecStart=/bin/sh -c \\\n  'echo 1 > /sys/kernel/mm/ksm/run'\n",
            to: "usr/lib/systemd/system/my.merge.service")
        host.createFolder("etc/systemd/system/timers.target.wants")
        host.link("etc/systemd/system/timers.target.wants/my.merge.timer", to: "/nowhere")
        #expect(Self.found(host) == ["/usr/lib/systemd/system/my.merge.service: run"])
    }

    @Test func `A file of an administrator hides the package's of the same name`() {
        let host = FakeHost()
        host.write("w /sys/kernel/mm/ksm/run - - - - 1\n", to: "usr/lib/tmpfiles.d/ksm.conf")
        host.write("", to: "etc/tmpfiles.d/ksm.conf")
        #expect(Self.found(host) == [])
    }

    @Test(arguments: [
        ("KSM_ENABLED=1", ["run", "sleep_millisecs"]), ("KSM_ENABLED=AUTO", ["run", "sleep_millisecs"]),
        ("KSM_ENABLED=0", []), ("KSM_ENABLED=1\nKSM_ENABLED=0", []), ("", ["sleep_millisecs"]),
    ])
    func `What Debian's qemu-kvm writes by its settings, unless they leave KSM off`(_ text: String, files: [String]) {
        let host = FakeHost()
        host.write("\(text)\nSLEEP_MILLISECS=200\n", to: "etc/default/qemu-kvm")
        #expect(Self.found(host) == files.map { "/etc/default/qemu-kvm: \($0)" })
    }

    @Test func `Units that are started, with their timers and drop-ins`() {
        let host = FakeHost()
        let text = "[Service]\nExecStart=/bin/sh -c 'echo 1 > /sys/kernel/mm/ksm/run'\n"
        for name in ["merge.service", "idle.service", "timed.service", "each@.service", "spare@.service"] {
            host.write(text, to: "usr/lib/systemd/system/\(name)")
        }
        host.write("[Unit]\nConditionPathExists=/sys/kernel/mm/ksm/run\n", to: "usr/lib/systemd/system/other.service")
        host.write(text, to: "usr/lib/systemd/system/ksm.service")
        host.write(text, to: "etc/systemd/system/other.service.d/ksm.conf")
        for name in ["merge.service", "timed.timer", "each@1.service", "other.service", "ksm.service"] {
            host.createFolder("etc/systemd/system/multi-user.target.wants")
            host.link("etc/systemd/system/multi-user.target.wants/\(name)", to: "/nowhere")
        }
        #expect(
            Self.found(host) == [
                "/usr/lib/systemd/system/each@.service: run", "/usr/lib/systemd/system/merge.service: run",
                "/usr/lib/systemd/system/timed.service: run", "/etc/systemd/system/other.service.d/ksm.conf: run",
            ])
        // A mask hides what the package brought.
        host.link("etc/systemd/system/merge.service", to: "/dev/null")
        #expect(!Self.found(host).contains { $0.contains("merge") })
    }

    @Test func `Files that are no text and folders in their place say nothing`() {
        let host = FakeHost()
        host.write("\u{0}\u{1}kernel\n", to: "etc/sysfs.conf")
        host.createFolder("etc/rc.local")
        host.makePipe("etc/crontab")
        #expect(Self.found(host) == [])
    }
}
