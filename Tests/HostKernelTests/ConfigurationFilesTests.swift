import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@Suite struct ConfigurationFilesTests {
    @Test func `drop-ins count above the file, in the order of their names`() {
        let host = FakeHost()
        host.write("KSM_THRES_COEF=30\nKSM_NPAGES_MIN=1", to: "etc/ksmtuned.conf")
        host.write("KSM_THRES_COEF=50", to: "etc/ksmtuned.conf.d/20-b.conf")
        host.write("KSM_THRES_COEF=40", to: "etc/ksmtuned.conf.d/10-a.conf")
        host.write("KSM_THRES_COEF=60", to: "etc/ksmtuned.conf.d/30-c.conf.bak")
        host.write("KSM_THRES_COEF=70", to: "etc/ksmtuned.conf.d/.hidden.conf")
        let loaded = ConfigurationFiles(host.paths).load(total: nil)
        #expect(loaded.diagnostics.isEmpty)
        #expect(loaded.configuration.thresholdPercent == 50)
        #expect(loaded.configuration.pagesMinimum == 1)
        let origin = loaded.values[.thresholdPercent].origin
        #expect(origin == .file(host.path("etc/ksmtuned.conf.d/20-b.conf"), line: 1, column: 1))
    }

    @Test func `the host's own file need not exist, a named one must`() {
        let host = FakeHost()
        #expect(ConfigurationFiles(host.paths).load(total: nil).isUsable)
        let named = ConfigurationFiles(named: host.path("etc/other.conf")).load(total: nil)
        #expect(!named.isUsable)
        #expect(named.diagnostics.first?.description.contains("No such file") == true)
    }

    @Test func `a folder or a pipe in the file's place is an error, and is not waited for`() {
        let host = FakeHost()
        host.createFolder("etc/ksmtuned.conf")
        let loaded = ConfigurationFiles(host.paths).load(total: nil)
        #expect(!loaded.isUsable && !loaded.mayPass)
        #expect(loaded.diagnostics.map { $0.origin } == [.file(host.path("etc/ksmtuned.conf"), line: 1, column: 1)])
        host.remove("etc/ksmtuned.conf")
        host.makePipe("etc/ksmtuned.conf")
        #expect(!ConfigurationFiles(host.paths).load(total: nil).isUsable)
    }

    private func messages(_ host: FakeHost) -> [String] {
        ConfigurationFiles(host.paths).load(total: nil).diagnostics.map { $0.description }
    }

    @Test(arguments: ["etc/ksmtuned.conf", "etc/ksmtuned.conf.d/50-x.conf"])
    func `a link to nothing is an error, and one to /dev/null an empty file`(file: String) {
        let host = FakeHost()
        host.createFolder("etc/ksmtuned.conf.d")
        host.link(file, to: host.path("nowhere"))
        let path = host.path(file)
        #expect(
            messages(host) == [
                "\(path):1:1: error: cannot read \(path): it is a link to a file that does not exist; make it a readable "
                    + "file, or remove it"
            ])
        host.remove(file)
        host.link(file, to: "/dev/null")
        #expect(messages(host) == [])
        host.remove(file)
        host.link(file, to: "/dev/zero")
        #expect(messages(host).map { $0.contains("it is not a regular file") } == [true])
    }

    @Test func `a drop-in whose name is no UTF-8 is not lost in silence`() throws {
        let host = FakeHost()
        host.createFolder("etc/ksmtuned.conf.d")
        let name = Array(host.path("etc/ksmtuned.conf.d/50-caf").utf8) + [0xE9] + Array(".conf\0".utf8)
        let descriptor = unsafe name.withUnsafeBytes { name in
            unsafe open(name.baseAddress!.assumingMemoryBound(to: CChar.self), O_WRONLY | O_CREAT, 0o644)
        }
        try #require(descriptor >= 0)
        close(descriptor)
        let path = host.path("etc/ksmtuned.conf.d/50-caf\u{FFFD}.conf")
        #expect(
            messages(host) == [
                "\(path):1:1: error: cannot read \(path): its name is not UTF-8; make it a readable file, or remove it"
            ])
    }

    @Test(arguments: [
        "PIDFILE=/run/ksmtuned/lock", "PIDFILE=/var/run/ksmtuned/lock", "PIDFILE=//run/./ksmtuned/state",
        "PIDFILE=/var/lib/ksmtuned/history", "PIDFILE=/etc/ksmtuned.conf", "LOGFILE=/var/lib/ksmtuned/history",
        "LOGFILE=/run/ksmtuned/state", "LOGFILE=/etc/ksmtuned.conf", "LOGFILE=/run/ksmtuned/.state",
        "PIDFILE=/etc/ksmtuned.conf.d/90-local.conf", "LOGFILE=/tmp/../etc/ksmtuned.conf",
        // In the place of a folder it would keep the daemon from making that.
        "LOGFILE=/etc/ksmtuned.conf.d", "PIDFILE=/etc/ksmtuned.conf.d", "LOGFILE=/var/lib/ksmtuned",
        "PIDFILE=/run/ksmtuned",
    ])
    func `a file that the daemon keeps something else in is neither its pid file nor its log`(line: String) {
        let host = FakeHost()
        host.write("\n\(line)\n", to: "etc/ksmtuned.conf")
        #expect(
            messages(host) == [
                "\(host.path("etc/ksmtuned.conf")):2:1: error: \(line) is a file that ksmtuned keeps something else in; "
                    + "name another file"
            ])
    }

    @Test func `one file is not both the pid file and the log`() {
        let host = FakeHost()
        host.createFolder("run/x")
        host.write("PIDFILE=\(host.path("run/pid"))\nLOGFILE=\(host.path("run/x/../pid"))\n", to: "etc/ksmtuned.conf")
        #expect(
            messages(host) == [
                "\(host.path("etc/ksmtuned.conf")):2:1: error: LOGFILE=\(host.path("run/x/../pid")) is the pid file; name "
                    + "another file"
            ])
    }

    @Test func `where there is no log it is not the pid file, wherever that is`() {
        let host = FakeHost()
        host.write("PIDFILE=\(FileManager.default.currentDirectoryPath)/\nLOGFILE=\n", to: "etc/ksmtuned.conf")
        #expect(!messages(host).contains { $0.contains("is the pid file") })
    }

    @Test func `nor is that which the pid file is made from the log`() {
        let host = FakeHost()
        host.write("PIDFILE=\(host.path("run/a"))\nLOGFILE=\(host.path("run/.a.new"))\n", to: "etc/ksmtuned.conf")
        #expect(messages(host).map { $0.hasSuffix("/run/.a.new is the pid file; name another file") } == [true])
    }

    @Test(arguments: ["etc/ksmtuned.conf", "etc/ksmtuned.conf.d/50-own.conf"])
    func `nor is a file that a link leads to`(link: String) {
        let host = FakeHost()
        host.createFolder("etc/ksmtuned.conf.d")
        host.write("LOGFILE=\(host.path("real.conf"))\n", to: "real.conf")
        host.link(link, to: host.path("real.conf"))
        #expect(messages(host).count == 1)
        #expect(messages(host).first?.contains("is a file that ksmtuned keeps something else in") == true)
    }

    @Test func `nor is a file in a folder that a link leads to`() {
        let host = FakeHost()
        host.createFolder("real")
        host.link("etc/ksmtuned.conf.d", to: host.path("real"))
        host.write("LOGFILE=\(host.path("real/20-log.conf"))\n", to: "etc/ksmtuned.conf")
        #expect(messages(host).count == 1)
    }

    @Test func `a log that nobody keeps may be the device that a masked file leads to`() {
        let host = FakeHost()
        host.createFolder("etc/ksmtuned.conf.d")
        host.link("etc/ksmtuned.conf.d/50-own.conf", to: "/dev/null")
        host.write("LOGFILE=/dev/null\n", to: "etc/ksmtuned.conf")
        #expect(messages(host) == [])
    }

    @Test func `nor is the file that was named`() {
        let host = FakeHost()
        let path = host.path("own.conf")
        host.write("LOGFILE=\(path)\nPIDFILE=/run/ksmtuned/pid\n", to: "own.conf")
        #expect(
            ConfigurationFiles(named: path).load(total: nil).diagnostics.map { $0.origin } == [
                .file(path, line: 1, column: 1)
            ])
    }

    @Test func `an expression that regcomp does not take is an error at its place`() {
        let host = FakeHost()
        host.write("\nKSM_GUEST_PATTERN='a['\n", to: "etc/ksmtuned.conf")
        let loaded = ConfigurationFiles(host.paths).load(total: nil)
        #expect(loaded.diagnostics.count == 1)
        #expect(
            loaded.diagnostics.first?.origin == .file(host.path("etc/ksmtuned.conf"), line: 2, column: 1))
    }

    @Test func `an expression that takes too long to compile is an error at its place`() {
        let host = FakeHost()
        host.write("\nKSM_GUEST_PATTERN='((a{1,255}){1,255}){1,255}'\n", to: "etc/ksmtuned.conf")
        let file = host.path("etc/ksmtuned.conf")
        #expect(
            ConfigurationFiles(host.paths).load(total: nil).diagnostics.map { $0.description } == [
                "\(file):2:1: error: KSM_GUEST_PATTERN=((a{1,255}){1,255}){1,255} takes too much time or memory: with its "
                    + "repeats written out it has more than 2000 characters; write it without"
            ])
    }

    @Test func `a file or all files together of more than a megabyte are an error`() {
        let host = FakeHost()
        let half = "#" + String(repeating: "x", count: 1 << 19) + "\n"
        host.write(half + half, to: "etc/ksmtuned.conf")
        #expect(!ConfigurationFiles(host.paths).load(total: nil).isUsable)
        host.write(half, to: "etc/ksmtuned.conf")
        #expect(ConfigurationFiles(host.paths).load(total: nil).isUsable)
        let rest = "#" + String(repeating: "x", count: (1 << 19) - 4) + "\n"
        host.write(rest, to: "etc/ksmtuned.conf.d/10-a.conf")
        #expect(ConfigurationFiles(host.paths).load(total: nil).isUsable)
        host.write(half, to: "etc/ksmtuned.conf.d/10-a.conf")
        host.write("KSM_THRES_COEF=50\n", to: "etc/ksmtuned.conf.d/20-b.conf")
        let loaded = ConfigurationFiles(host.paths).load(total: nil)
        #expect(
            loaded.diagnostics.map { $0.description } == [
                "\(host.path("etc/ksmtuned.conf.d/10-a.conf")):1:1: error: the files up to this one hold more than 1048576 "
                    + "bytes together, and what follows is not read; make them smaller"
            ])
        #expect(loaded.configuration.thresholdPercent == 20)
    }

    @Test func `what is said comes in the order of the files and of their lines`() {
        let host = FakeHost()
        // What is wrong with a path is found after the rest.
        host.write("LOGFILE=/run/ksmtuned/state\nKSM_THRES_COEF=x\n", to: "etc/ksmtuned.conf")
        host.write("\n\nKSM_NPAGES_MIN=x\n", to: "etc/ksmtuned.conf.d/10-a.conf")
        let (file, dropIn) = (host.path("etc/ksmtuned.conf"), host.path("etc/ksmtuned.conf.d/10-a.conf"))
        #expect(
            ConfigurationFiles(host.paths).load(total: nil).diagnostics.map { $0.origin } == [
                .file(file, line: 1, column: 1), .file(file, line: 2, column: 1), .file(dropIn, line: 3, column: 1),
            ])
    }

    @Test func `more than a hundred drop-ins are an error`() {
        let host = FakeHost()
        for number in 0..<100 { host.write("KSM_THRES_COEF=50\n", to: "etc/ksmtuned.conf.d/\(number).conf") }
        #expect(ConfigurationFiles(host.paths).load(total: nil).diagnostics.isEmpty)
        host.write("", to: "etc/ksmtuned.conf.d/100.conf")
        let loaded = ConfigurationFiles(host.paths).load(total: nil)
        #expect(
            loaded.diagnostics.map { $0.description } == [
                "\(host.path("etc/ksmtuned.conf.d")):1:1: error: there are 101 files, more than 100, and none of them is "
                    + "read; remove those that are not needed"
            ])
    }

    @Test func `a file in the place of the drop-ins' folder is an error, and none is not`() {
        let host = FakeHost()
        #expect(ConfigurationFiles(host.paths).load(total: nil).diagnostics.isEmpty)
        host.write("", to: "etc/ksmtuned.conf.d")
        let folder = host.path("etc/ksmtuned.conf.d")
        let loaded = ConfigurationFiles(host.paths).load(total: nil)
        #expect(!loaded.isUsable)
        #expect(
            loaded.diagnostics.map { $0.description } == [
                "\(folder):1:1: error: cannot list \(folder): Not a directory; make it a readable folder, or remove it"
            ])
    }

    @Test func `a product beyond 64 bits is an error on the host where it is`() {
        let host = FakeHost()
        host.write("KSM_THRES_COEF=9000000000000000\n", to: "etc/ksmtuned.conf")
        #expect(ConfigurationFiles(host.paths).load(total: KiB(100)).isUsable)
        let loaded = ConfigurationFiles(host.paths).load(total: KiB(16_777_216))
        #expect(!loaded.isUsable)
    }

    @Test func `defaults that follow the host's memory do, and where that is not known it is said what is assumed`() {
        let host = FakeHost()
        host.write("KSM_PROFILE=scaled\n", to: "etc/ksmtuned.conf")
        let files = ConfigurationFiles(host.paths)
        let known = files.load(total: KiB(64 * 1024 * 1024))
        #expect(known.configuration.thresholdPercent == 30)
        #expect(known.diagnostics.isEmpty)
        let unknown = files.load(total: nil)
        #expect(unknown.isUsable)
        #expect(unknown.configuration.thresholdPercent == 50)
        #expect(
            unknown.diagnostics.map(\.description) == [
                "\(host.path("etc/ksmtuned.conf")):1:1: warning: KSM_PROFILE=scaled follows the host's memory, which "
                    + "cannot be read here, so 16.0 GiB are assumed"
            ])
    }
}
