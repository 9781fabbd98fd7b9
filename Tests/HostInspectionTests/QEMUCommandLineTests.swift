import HostInspection
import HostKernel
import KSMPolicy
import Testing

@Suite struct QEMUCommandLineTests {
    /// - Parameter text: Split at blanks.
    private func line(_ text: String, program: String = "qemu-system-x86_64") -> GuestCommandLine {
        GuestCommandLine([program] + text.split(separator: " ").map { String($0) })
    }

    private static let mebibyte: Int64 = 1024
    private static let gibibyte: Int64 = 1024 * 1024

    // MARK: Whole lines

    @Test func `libvirt's`() {
        let guest = line(
            """
            -name guest=vm1,debug-threads=on -S -object \
            {"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/master-key.aes"} \
            -machine pc-q35-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram -accel kvm -cpu host,migratable=on \
            -m size=2097152k -object {"qom-type":"memory-backend-ram","id":"pc.ram","size":2147483648} \
            -overcommit mem-lock=off -smp 2,sockets=2,cores=1,threads=1 \
            -device {"driver":"virtio-balloon-pci","id":"balloon0","bus":"pci.5","addr":"0x0"} -sandbox on
            """)
        #expect(guest.name == "vm1")
        #expect(guest.configured == KiB(2 * Self.gibibyte))
        #expect(guest.vcpus == 2)
        #expect(guest.balloon == .manual)
        #expect(guest.parts == [[]])
    }

    @Test func `Proxmox's`() {
        let guest = line(
            """
            -id 100 -name web,debug-threads=on -no-shutdown -smp 4,sockets=1,cores=4,maxcpus=4 -m 4096 \
            -object iothread,id=iothread-virtioscsi0 -device virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3 \
            -machine type=pc+pve0
            """, program: "/usr/bin/kvm")
        #expect(guest.name == "web")
        #expect(guest.configured == KiB(4 * Self.gibibyte))
        #expect(guest.vcpus == 4)
        #expect(guest.balloon == .manual)
        #expect(guest.parts == [[]])
    }

    @Test func `without options, QEMU's defaults`() {
        let guest = line("")
        #expect(guest.name == nil)
        #expect(guest.configured == KiB(128 * Self.mebibyte))
        #expect(guest.vcpus == 1)
        #expect(guest.balloon == GuestDetails.Balloon.none)
        #expect(guest.parts == [[]])
    }

    @Test func `a file with options leaves open what the line does not say`() {
        let guest = line("-readconfig vm.cfg -smp 3")
        #expect(guest.configured == nil)
        #expect(guest.vcpus == 3)
        #expect(guest.balloon == nil)
        #expect(line("-readconfig vm.cfg").vcpus == nil)
    }

    @Test func `a program by another name is QEMU by its options`() {
        #expect(line("-m 64", program: "vmm").configured == nil)
        #expect(line("-m 64 -accel kvm", program: "vmm").configured == KiB(64 * Self.mebibyte))
        #expect(line("-m 64", program: "/nix/store/x/bin/.qemu-system-x86_64-wrapped").configured != nil)
        #expect(GuestCommandLine([]) == GuestCommandLine())
    }

    // MARK: Each option

    @Test(arguments: [
        ("-name foo", "foo"), ("-name guest=foo", "foo"), ("--name foo", "foo"), ("-name foo,process=bar", "foo"),
        ("-name debug-threads=on,guest=foo", "foo"), ("-name debug-threads=on,x,guest=foo", "foo"),
        ("-name a,,b,debug-threads=on", "a,b"),
        ("-name debug-threads=on", nil), ("-name guest=", nil), ("-name", nil), ("-name one -name guest=two", "two"),
        ("-name guest=foo -name debug-threads=on", "foo"), ("-name {x", "{x"), ("-name a=b", nil),
        ("-name guest=a=b", "a=b"), ("-append -name -name foo", "foo"),
    ])
    func `the name`(_ text: String, name: String?) {
        #expect(line(text).name == name)
    }

    @Test(arguments: [
        ("-m 4096", 4096.0), ("-m 4096M", 4096), ("-m 4G", 4096), ("-m 4g", 4096), ("-m 1.5G", 1536),
        ("-m 1.25G", 1280), ("-m 0.000000001T", 1 / 1024.0),
        ("-m size=4194304k,slots=16,maxmem=64G", 4096), ("-m 1T", 1_048_576), ("-m 1P", 0x1p30),
        ("-m 1073741824B", 1024),
        ("-m slots=4,maxmem=8G", 128), ("-m 512 -m slots=4,maxmem=8G", 512), ("-m 512 -m 1G", 1024), ("-m 0", 128),
        ("-m 0.5", 0.5), ("-m ,slots=2", nil), ("-m", 128), ("-m x", nil), ("-m -1", nil), ("-m 1X", nil),
        ("-m 99999999999999999999", nil), ("-m 18446744073709551615", nil), ("-m 16E", nil), ("-m 8E", 0x1p43),
        ("-m 1.x", nil), ("-m .5G", nil), ("-m 15.5E", 15.5 * 0x1p40), ("-m 15.5E5", nil), ("-m G", nil),
        ("-machine q35,memory-backend=r -object memory-backend-ram,id=r,size=3G", 3072),
        ("-machine memory-backend=r", nil),
        ("-m 1G -object memory-backend-ram,id=d,size=512M -device pc-dimm,id=x,memdev=d", 1536),
        ("-m 1G -object memory-backend-ram,id=d,size=8G -device virtio-mem-pci,memdev=d,requested-size=2G", 3072),
        ("-m 1G -object memory-backend-file,id=n,mem-path=/x,share=on,size=9G -device nvdimm,memdev=n", 1024),
    ])
    func `memory in MiB`(_ text: String, mebibytes: Double?) {
        #expect(line(text).configured == mebibytes.map { KiB(Int64($0 * 1024)) })
    }

    @Test(arguments: [
        ("-smp 4", 4), ("-smp 4,sockets=2,cores=2", 4), ("-smp cpus=2,maxcpus=4", 2), ("-smp cpus=1,maxcpus=4", 1),
        ("-smp maxcpus=4", 4),
        ("-smp sockets=2,cores=3,threads=2", 12), ("-smp 0", nil), ("-smp -3", nil), ("-smp x", nil), ("-smp", 1),
        ("-smp 99999999999999999999", nil), ("-smp sockets=9223372036854775807,cores=9223372036854775807", nil),
        ("-smp 2 -smp maxcpus=8", 2), ("-smp sockets=0", nil), ("", 1),
    ])
    func `virtual CPUs`(_ text: String, vcpus: Int?) {
        #expect(line(text).vcpus == vcpus)
    }

    @Test(arguments: [
        ("-device virtio-balloon-pci,id=b", GuestDetails.Balloon.manual),
        ("-device virtio-balloon-ccw,deflate-on-oom=on", .autodeflate),
        ("-device virtio-balloon,deflate-on-oom=true", .autodeflate),
        ("-device virtio-balloon-pci,deflate-on-oom=off", .manual),
        (#"-device {"driver":"virtio-balloon-pci","deflate-on-oom":true,"id":"b"}"#, .autodeflate),
        (#"-device {"driver":"virtio-balloon-pci","deflate-on-oom":false}"#, .manual),
        ("-balloon virtio", .manual), ("-balloon none", .none), ("-balloon", .none), ("-device virtio-net-pci", .none),
        ("", .none),
        (#"-device {"driver":"virtio-balloon-pci""#, .none),
    ])
    func `the balloon`(_ text: String, balloon: GuestDetails.Balloon) {
        #expect(line(text).balloon == balloon)
    }

    struct Merging: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var parts: [[GuestDetails.Obstacle]]

        init(_ text: String, _ parts: [[GuestDetails.Obstacle]]) {
            testDescription = text
            self.parts = parts
        }

        /// With a backend `r` for the guest's memory.
        init(backend: String, _ parts: [[GuestDetails.Obstacle]]) {
            self.init("-machine memory-backend=r -object " + backend, parts)
        }
    }

    @Test(arguments: [
        Merging("", [[]]),
        Merging("-machine pc,mem-merge=off", [[.mergingSwitchedOff]]),
        Merging("-M pc,mem-merge=off", [[.mergingSwitchedOff]]),
        Merging("-machine mem-merge=off -machine pc", [[.mergingSwitchedOff]]),
        Merging("-machine mem-merge=off -machine mem-merge=on", [[]]),
        Merging("-mem-path /dev/hugepages", [[.hugePages]]),
        Merging("-mem-path /mnt/huge/vm", [[.hugePages]]),
        Merging("-mem-path /var/lib/ram", [[]]),
        Merging("-machine pc,confidential-guest-support=sev0", [[.confidential]]),
        Merging(backend: "memory-backend-ram,id=r,size=1G", [[]]),
        Merging(backend: "memory-backend-ram,id=r,size=1G,merge=off", [[.backendNotMerged]]),
        Merging(backend: "memory-backend-ram,id=r,size=1G,share=on", [[.sharedBackend]]),
        Merging(backend: "memory-backend-ram,id=r,merge=off,share=on", [[.backendNotMerged, .sharedBackend]]),
        Merging(backend: "memory-backend-shm,id=r", [[.sharedBackend]]),
        Merging(backend: "memory-backend-memfd,id=r,size=1G", [[.memfd]]),
        Merging(backend: "memory-backend-memfd,id=r,share=off", [[]]),
        Merging(backend: "memory-backend-memfd,id=r,share=off,hugetlb=on", [[.hugePages]]),
        Merging(
            backend: #"{"qom-type":"memory-backend-memfd","id":"r","x-use":false,"share":true,"size":1}"#, [[.memfd]]),
        Merging(
            backend: #"{"qom-type":"memory-backend-ram","id":"r","merge":false,"host-nodes":[0,1]}"#,
            [[.backendNotMerged]]),
        Merging(backend: "memory-backend-file,id=r,mem-path=/dev/hugepages/libvirt/qemu/1-vm,size=1G", [[.hugePages]]),
        Merging(backend: "memory-backend-file,id=r,mem-path=/dev/shm/a,share=on", [[.sharedBackend]]),
        Merging(backend: "memory-backend-file,id=r,mem-path=/var/ram/a", [[]]),
        Merging("-machine mem-merge=off,memory-backend=r -object memory-backend-ram,id=r", [[.mergingSwitchedOff]]),
        Merging("-machine mem-merge=off,memory-backend=r -object memory-backend-ram,id=r,merge=on", [[]]),
        // What another device uses is not the guest's memory.
        Merging("-object memory-backend-memfd,id=x -device ivshmem-plain,memdev=x", [[]]),
        Merging(
            "-object memory-backend-ram,id=a -object memory-backend-memfd,id=b -numa node,memdev=a -numa node,memdev=b",
            [[], [.memfd]]),
        Merging("-object memory-backend-memfd,id=d -device pc-dimm,memdev=d", [[], [.memfd]]),
        // Where nodes have backends the machine's own is none of the guest's memory.
        Merging(
            "-machine memory-backend=r -object memory-backend-memfd,id=r -object memory-backend-ram,id=a "
                + "-numa node,memdev=a", [[]]),
    ])
    func `what keeps each part of the memory from being merged`(_ test: Merging) {
        #expect(line(test.testDescription).parts == test.parts)
    }

    @Test func `a backend that the line does not have says nothing`() {
        #expect(line("-machine memory-backend=r").parts == nil)
    }

    @Test func `JSON with blanks, and with more inside`() {
        let object = """
            { "x" : { "a" : ["}", 1, null, {}] } , "driver" : "virtio-balloon-pci","deflate-on-oom" :
            true }
            """
        #expect(GuestCommandLine(["kvm", "-device", object]).balloon == .autodeflate)
    }

    @Test func `JSON with escapes`() {
        let guest = line(
            #"-machine memory-backend=ä"/\😀 -object {"id":"\u00e4\"\/\\\ud83d\ude00","size":1024}"#)
        #expect(guest.configured == KiB(1))
        #expect(line(#"-machine memory-backend=a -object {"id":"\ud83d","size":1024}"#).configured == nil)
    }

    // MARK: Others

    @Test(
        arguments: [
            ("--memory size=1G,mergeable=on", 1, [[]]),
            ("--memory size=1G", 1, [[.notOffered]]),
            ("--memory=size=1G,mergeable=on,shared=on,hugepages=on", 1, [[.sharedBackend, .hugePages]]),
            (
                "--memory size=0,mergeable=on --memory-zone id=a,size=1G id=b,size=2G,shared=on", 3,
                [[], [.sharedBackend]]
            ),
            ("--api-socket /run/x", nil, nil),
            ("--memory size=x", nil, [[.notOffered]]),
        ] as [(String, Int64?, [[GuestDetails.Obstacle]]?)])
    func `Cloud Hypervisor`(_ text: String, gibibytes: Int64?, parts: [[GuestDetails.Obstacle]]?) {
        let guest = line(text, program: "/usr/bin/cloud-hypervisor")
        #expect(guest.configured == gibibytes.map { KiB($0 * Self.gibibyte) })
        #expect(guest.parts == parts)
    }

    @Test func `Cloud Hypervisor's CPUs and balloon`() {
        let guest = line("--cpus boot=2,max=4 --balloon size=0,deflate_on_oom=on", program: "cloud-hypervisor")
        #expect(guest.vcpus == 2)
        #expect(guest.balloon == .autodeflate)
        #expect(line("--memory size=1G --cpus 3", program: "cloud-hypervisor").vcpus == 3)
        #expect(line("--memory size=1G", program: "cloud-hypervisor").balloon == GuestDetails.Balloon.none)
        #expect(line("--cpus max=4", program: "cloud-hypervisor").vcpus == 1)
        // Without a size it is half a GiB, unless zones make it up.
        #expect(line("--memory mergeable=on", program: "cloud-hypervisor").configured == KiB(524_288))
        let zones = line("--memory size=0 --memory-zone size=1G id=b,size=2G", program: "cloud-hypervisor")
        #expect(zones.configured == KiB(3 * Self.gibibyte))
    }

    @Test func `Firecracker says no more than a name`() {
        var expected = GuestCommandLine()
        expected.name = "one"
        expected.manager = .firecracker
        #expect(line("--id one --api-sock /run/x -m 5", program: "firecracker") == expected)
    }

    @Test(arguments: ["run --mem 2048 --cpus 3", "run -m 2048 -c 3", "run --mem=size=2048 --cpus num-cores=3"])
    func `crosvm`(_ text: String) {
        let guest = line(text, program: "crosvm")
        #expect(guest.configured == KiB(2 * Self.gibibyte))
        #expect(guest.vcpus == 3)
        #expect(guest.parts == [[.memfd]])
    }

    @Test func `JSON as QEMU alone takes it, in single quotes`() {
        #expect(GuestCommandLine(["kvm", "-device", "{'driver':'virtio-balloon-pci'}"]).balloon == .manual)
    }

    @Test(arguments: [
        #"{"driver":"virtio-balloon-pci",}x"#, "{", "{}", #"{"driver":5"#, #"{"driver":["virtio-balloon-pci"]}"#,
    ])
    func `JSON that is none says nothing`(_ text: String) {
        #expect(GuestCommandLine(["kvm", "-device", text]).balloon == GuestDetails.Balloon.none)
    }

    @Test func `JSON a hundred thousand levels deep says nothing`() {
        let guest = GuestCommandLine(["kvm", "-device", String(repeating: #"{"a":"#, count: 100_000)])
        #expect(guest.balloon == GuestDetails.Balloon.none)
    }

    // MARK: Hostile text

    /// A quadratic reader takes minutes for it.
    @Test(.timeLimit(.minutes(5)))
    func `a line of a mebibyte with ten thousand devices is read in one go`() {
        var arguments = ["qemu-system-x86_64", "-m", "1M"]
        for number in 0..<10_000 {
            arguments += ["-object", "memory-backend-ram,id=m\(number),size=1M"]
            arguments += ["-device", "pc-dimm,memdev=m\(number)"]
        }
        #expect(GuestCommandLine(arguments).configured == KiB(10_001 * Self.mebibyte))
        let keys = (0..<100_000).map { "k\($0)=v" }.joined(separator: ",")
        #expect(GuestCommandLine(["kvm", "-m", "64,\(keys)", "-m", keys]).configured == KiB(64 * Self.mebibyte))
    }

    @Test func `arguments end at zero bytes, the last one also without`() {
        #expect(GuestCommandLine.arguments(Array("a\0\0b c\0d".utf8)) == ["a", "", "b c", "d"])
        #expect(GuestCommandLine.arguments([]) == [])
        #expect(GuestCommandLine.arguments([0]) == [""])
        #expect(GuestCommandLine.arguments([0xff, 0]) == ["\u{fffd}"])
    }

    @Test(arguments: 1...8)
    func `whatever the bytes, it is read`(seed: UInt64) {
        var random = Random(state: seed)
        let programs = ["qemu-system-x86_64", "kvm", "cloud-hypervisor", "firecracker", "crosvm", "x"]
        let words = [
            "-name", "-m", "-smp", "-machine", "-M", "-object", "-device", "-numa", "-mem-path", "-balloon", "--memory",
            "--memory-zone", "--cpus", "--mem", "-c", "guest=", "size=", "cpus=", "sockets=", "memory-backend=", "r",
            "id=r",
            "memdev=r", "node", "pc-dimm", "virtio-mem-pci", "requested-size=", "merge=", "share=", "on", "off", ",",
            ",,",
            "=", "{", "}", "[", "]", "\"", ":", "\\", "\\u", "d83d", "qom-type", "memory-backend-memfd", "0", "1", ".",
            "9223372036854775807", "18446744073709551616", "E", "G", "k", "-", " ", "\0", "\0", "\0", "\0", "\u{7f}",
            "ä",
        ]
        for _ in 0..<4000 {
            var text = Array((programs[random.below(programs.count)] + "\0").utf8)
            for _ in 0..<random.below(40) {
                if random.below(8) == 0 {
                    text.append(UInt8(random.below(256)))
                } else {
                    text += Array(words[random.below(words.count)].utf8)
                }
            }
            let guest = GuestCommandLine(GuestCommandLine.arguments(text))
            #expect(guest.configured.map { $0 >= .zero } ?? true)
            #expect(guest.vcpus.map { $0 > 0 } ?? true)
        }
    }

    // MARK: Long lines

    /// Whoever starts a process writes its line, and root's `ksmctl` reads it: none of these ends within hours where
    /// the work is the product of two counts.
    @Test func `Thousands of options that speak of thousands of others are read at once`() {
        func repeated(_ count: Int, _ arguments: (Int) -> [String]) -> [String] { (0..<count).flatMap(arguments) }
        let objects = repeated(8000) { ["-object", "memory-backend-ram,id=m\($0),size=1G"] }
        let dimms = repeated(4000) { ["-device", "pc-dimm,memdev=m\($0)"] }
        #expect(GuestCommandLine(["qemu-kvm", "-m", "1G"] + objects + dimms).configured == KiB(4001 * Self.gibibyte))

        let globals = repeated(20000) { ["-global", "virtio-balloon-device.p\($0)=1"] }
        let balloons = repeated(20000) { _ in ["-device", "virtio-balloon"] }
        let last = ["-global", "virtio-balloon-device.deflate-on-oom=on"]
        #expect(GuestCommandLine(["qemu-kvm"] + globals + balloons + last).balloon == .autodeflate)

        let properties = repeated(20000) { ["-set", "device.b.p\($0)=1"] + ["-set", "object.m.p\($0)=1"] }
        let named = repeated(20000) { _ in ["-device", "virtio-balloon,id=b"] }
        let set = [
            "-set", "device.b.deflate-on-oom=on", "-set", "object.m.size=2G", "-object", "memory-backend-ram,id=m",
        ]
        let line = ["qemu-kvm", "-m", "1G", "-device", "pc-dimm,memdev=m"]
        let guest = GuestCommandLine(line + properties + named + set)
        #expect(guest.balloon == .autodeflate)
        #expect(guest.configured == KiB(3 * Self.gibibyte))
    }

    /// A letter with 8192 marks behind it. Wherever Swift compares texts it sorts them by their classes, in a time that
    /// grows with the square of their number: the lines below would take minutes.
    private static let marked = "a" + String(repeating: "\u{301}\u{316}", count: 1 << 12)

    @Test(arguments: [
        ["-MARKED"], ["-name", "guest=vm1", "-MARKED"], ["--MARKED", "MARKED"], ["-m", "MARKED"], ["-smp", "MARKED=1"],
        ["-smp", "cpus=MARKED,MARKED=2,MARKED"], ["-object", "memory-backend-ram,id=MARKED"],
        ["-device", "MARKED,id=MARKED", "-set", "device.MARKED.MARKED=MARKED"], ["-global", "MARKED.MARKED=MARKED"],
        ["-global", "driver=MARKED,property=MARKED,value=MARKED"], ["-mem-path", "/MARKED/MARKED"],
        ["-device", "vfio-pci,sysfsdev=/MARKED/MARKED"], ["-device", "virtio-MARKED"],
        ["-object", #"{"MARKED":"MARKED","id":"MARKED","qom-type":"memory-backend-ram"}"#],
        ["-object", "{MARKED:1,id:'MARKED'}"], ["-machine", "MARKED,memory-backend=MARKED"], ["-balloon", "MARKED"],
        ["-id", "MARKED", "-machine", "pc+pve0"], ["--memory", "MARKED"], ["--cpus=MARKED"], ["--id", "MARKED"],
    ])
    func `Thousands of marks behind a letter are read at once`(_ arguments: [String]) {
        let line = arguments.map { $0.replacing("MARKED", with: Self.marked) }
        for program in ["qemu-kvm", "cloud-hypervisor", "firecracker", "crosvm", Self.marked] {
            _ = GuestCommandLine([program] + line)
        }
        // Escapes of JSON become the same marks.
        let escaped = "a" + String(repeating: #"\u0301\u0316"#, count: 1 << 12)
        _ = GuestCommandLine(["qemu-kvm"] + arguments.map { $0.replacing("MARKED", with: escaped) })
    }

    @Test func `The longest line of one argument is read at once`() {
        let marks = String(repeating: "\u{301}\u{316}", count: CommandLineMatcher.longest / 4 - 100)
        let text = Array("qemu-kvm\0-name\0guest=vm1\0-a\(marks)\0".utf8)
        #expect(GuestCommandLine(GuestCommandLine.arguments(text)).name == "vm1")
    }

    @Test func `What is beyond ASCII is shown as it was, and tells one object from another`() {
        #expect(line("-name guest=Zoë,debug-threads=on").name == "Zoë")
        let penguin = "e\u{301}\u{316}🐧"
        #expect(line("-name guest=\(penguin)").name?.unicodeScalars.elementsEqual(penguin.unicodeScalars) == true)
        #expect(GuestCommandLine(["firecracker", "--id", "\u{fffd}é"]).name == "\u{fffd}é")
        let objects = "-object memory-backend-ram,id=é,size=1G -object memory-backend-ram,id=è,size=2G"
        #expect(line("\(objects) -machine memory-backend=é").configured == KiB(Self.gibibyte))
        #expect(line(#"-device {"driver":"virtio-balloon-pci","id":"\u00e9\\u0301\/"}"#).balloon == .manual)
        #expect(line(#"-device {"driver":"virtio\u002dballoon-pci"}"#).balloon == .manual)
    }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
private struct Random {
    var state: UInt64

    mutating func below(_ limit: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
    }
}
