import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import HostInspection

/// What a host has for its guests beside its RAM.
@Suite struct HostCapacityTests {
    // MARK: Huge pages

    @Test func `a pool of huge pages of no known size holds nothing`() throws {
        let host = FakeHost()
        let pages = "HugePages_Total:      48\nHugePages_Free:       9\n"
        host.write(host.read("proc/meminfo")! + pages, to: "proc/meminfo")
        #expect(try HugePagePool.read(host.paths) == HugePagePool(size: .zero, idle: .zero))
    }

    @Test func `a pool of huge pages, by meminfo`() throws {
        let host = FakeHost()
        #expect(try HugePagePool.read(host.paths) == nil)
        host.addMemory([("Hugetlb", 48 << 20), ("Hugepagesize", 1 << 20)])
        host.write(
            host.read("proc/meminfo")! + "HugePages_Total:      48\nHugePages_Free:      20\n", to: "proc/meminfo")
        #expect(try HugePagePool.read(host.paths) == HugePagePool(size: KiB(48 << 20), idle: KiB(20 << 20)))
        host.write(host.read("proc/meminfo")! + "HugePages_Rsvd:       16\n", to: "proc/meminfo")
        #expect(try HugePagePool.read(host.paths)?.idle == KiB(4 << 20))
    }

    @Test func `before 4.20, meminfo has the pages of one size only`() throws {
        let host = FakeHost()
        let memory = host.read("proc/meminfo")!
        for free in ["HugePages_Free: 0\n", ""] {
            host.write(memory + "HugePages_Total: 512\n\(free)Hugepagesize: 2048 kB\n", to: "proc/meminfo")
            #expect(try HugePagePool.read(host.paths) == HugePagePool(size: KiB(1 << 20), idle: .zero))
        }
    }

    @Test func `a line of meminfo without a number is none`() throws {
        let host = FakeHost()
        host.write("HugePages_Total:\nHugePages_Free\nHugepagesize: 2048 kB\n", to: "proc/meminfo")
        #expect(try HugePagePool.read(host.paths) == nil)
    }

    @Test func `pools of several sizes add up`() throws {
        let host = FakeHost()
        for (size, pages, free, reserved) in [(2048, 512, 100, 40), (1_048_576, 8, 3, 3), (65_536, 0, 0, 0)] {
            let folder = "sys/kernel/mm/hugepages/hugepages-\(size)kB"
            host.write("\(pages)\n", to: "\(folder)/nr_hugepages")
            host.write("\(free)\n", to: "\(folder)/free_hugepages")
            host.write("\(reserved)\n", to: "\(folder)/resv_hugepages")
        }
        // The kernel is about to make the others of this one, or to remove it.
        host.write("0\n", to: "sys/kernel/mm/hugepages/hugepages-32768kB/nr_hugepages")
        for other in ["otherpages2048kB", "hugepages-2048MB"] {
            host.write("7\n", to: "sys/kernel/mm/hugepages/\(other)/nr_hugepages")
        }
        #expect(
            try HugePagePool.read(host.paths)
                == HugePagePool(size: KiB(512 * 2048 + 8 * 1_048_576), idle: KiB(60 * 2048)))
    }

    @Test func `a pool whose number is missing holds nothing`() throws {
        let host = FakeHost()
        host.write("5\n", to: "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
        #expect(try HugePagePool.read(host.paths) == HugePagePool(size: .zero, idle: KiB(5 * 2048)))
    }

    // MARK: ZFS

    @Test func `ZFS's cache and its bounds`() throws {
        let host = FakeHost()
        #expect(try ZFSCache.read(host.paths) == nil)
        let head = "9 1 0x01 147 39984 4043083 98\nname                            type data\n"
        host.write(
            head + "size                            4    4194304\nc_min  4 1048576\nc_max  4 8388608\n",
            to: "proc/spl/kstat/zfs/arcstats")
        #expect(try ZFSCache.read(host.paths) == ZFSCache(size: KiB(4096), least: KiB(1024), most: KiB(8192)))
        host.write(head, to: "proc/spl/kstat/zfs/arcstats")
        #expect(throws: KernelFileError.self) { try ZFSCache.read(host.paths) }
    }

    // MARK: Swap

    @Test(arguments: [(8, 2, 4), (2, 8, 0.25), (0, 2, nil), (8, 0, nil)] as [(Int64, Int64, Double?)])
    func `compressed memory is so many times smaller, where there is any`(original: Int64, taken: Int64, ratio: Double?)
    {
        #expect(CompressedMemory(original: Bytes(original), taken: Bytes(taken)).ratio == ratio)
    }

    private func backing(_ host: FakeHost, _ line: String) throws -> SwapDevice.Backing? {
        host.setSwaps([line])
        return try SwapDevice.all(host.paths)?.first?.backing
    }

    @Test(
        arguments: [
            ("/dev/sda2", .disk), ("/dev/nvme0n1p3", .disk), ("/dev/zram0", .zram), ("/dev/zd0", .zfsVolume),
            ("/dev/zd16p1", .zfsVolume), ("/dev/zvol/rpool/swap", .zfsVolume), ("/dev/zdx", .disk),
            ("/dev/nbd0", .network("a network block device")), ("/dev/rbd1", .network("a network block device")),
        ] as [(String, SwapDevice.Backing)])
    func `swap on a device`(path: String, backing: SwapDevice.Backing) throws {
        #expect(try self.backing(FakeHost(), "\(path) partition 1024 0 -2") == backing)
    }

    @Test func `swap on a device that is made of others`() throws {
        let host = FakeHost()
        host.createFolder("sys/class/block/dm-0/slaves/dm-1")
        host.createFolder("sys/class/block/dm-1/slaves/sda3")
        #expect(try backing(host, "/dev/dm-0 partition 1024 0 -2") == .disk)
        host.createFolder("sys/class/block/dm-1/slaves/zd0")
        #expect(try backing(host, "/dev/dm-0 partition 1024 0 -2") == .zfsVolume)
        // One that is made of itself, which no kernel shows.
        host.createFolder("sys/class/block/dm-7/slaves/dm-7")
        #expect(try backing(host, "/dev/dm-7 partition 1024 0 -2") == .disk)
        host.write("/mnt/nfs/swap\n", to: "sys/class/block/loop0/loop/backing_file")
        host.write("1 0 0:50 / /mnt/nfs rw - nfs4 server:/x rw\n", to: "proc/self/mountinfo")
        #expect(try backing(host, "/dev/loop0 partition 1024 0 -2") == .network("nfs4"))
    }

    @Test(
        arguments: [
            ("/swapfile", .disk), ("/data/swap", .disk), ("/data/own/swap", .disk),
            ("/database/swap", .disk), ("/tank/swap", .copyOnWrite("ZFS")), ("/net/swap", .network("nfs4")),
            ("/remote\\040files/swap", .network("fuse.sshfs")), ("/usb/swap", .disk),
            ("/usb/net/swap", .network("nfs4")),
        ] as [(String, SwapDevice.Backing)])
    func `swap in a file, by what is mounted there`(path: String, backing: SwapDevice.Backing) throws {
        let host = FakeHost()
        host.write(
            """
            22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
            31 30 254:3 / /data/own rw - xfs /dev/vdc rw
            30 22 0:40 / /data rw master:3 propagate_from:2 - btrfs /dev/vdb rw
            32 22 0:41 / /tank rw - zfs rpool/tank rw
            33 22 0:42 / /net rw - nfs4 server:/export rw
            34 22 0:43 / /remote\\040files rw - fuse.sshfs a@b: rw
            36 35 0:44 / /usb/net rw - nfs4 server:/export rw
            35 22 8:1 / /usb rw - fuseblk /dev/sdb1 rw

            """, to: "proc/self/mountinfo")
        #expect(try self.backing(host, "\(path) file 1024 0 -2") == backing)
        // The older file says the same.
        host.remove("proc/self/mountinfo")
        host.write(
            """
            /dev/vda1 / ext4 rw 0 0
            /dev/vdb /data btrfs rw 0 0
            /dev/vdc /data/own xfs rw 0 0
            rpool/tank /tank zfs rw 0 0
            server:/export /net nfs4 rw 0 0
            a@b: /remote\\040files fuse.sshfs rw 0 0
            server:/export /usb/net nfs4 rw 0 0
            /dev/sdb1 /usb fuseblk rw 0 0

            """, to: "proc/mounts")
        #expect(try self.backing(host, "\(path) file 1024 0 -2") == backing)
    }

    @Test(
        arguments: [
            ("tmpfs", .zram), ("ramfs", .zram), ("fuseblk", .disk), ("fuse", .network("fuse")),
            ("nfs", .network("nfs")),
            ("smb3", .network("smb3")), ("cifs", .network("cifs")), ("ceph", .network("ceph")), ("9p", .network("9p")),
            ("virtiofs", .network("virtiofs")), ("ocfs2", .network("ocfs2")), ("xfs", .disk),
        ] as [(String, SwapDevice.Backing)])
    func `swap in a file, by the kind of its file system`(kind: String, backing: SwapDevice.Backing) throws {
        let host = FakeHost()
        host.write("/x / \(kind) rw 0 0\n", to: "proc/mounts")
        #expect(try self.backing(host, "/swapfile file 1024 0 -2") == backing)
    }

    /// A line that is cut off, or of a format to come, is passed over; the others count.
    @Test(arguments: [
        "30 22 0:40 / /data rw -", "30 22 0:40 / /data rw", "30 22 - btrfs", "30 22 0:40 - btrfs", "- btrfs", "-", "",
    ])
    func `a line that names no place and no kind is passed over`(line: String) throws {
        let host = FakeHost()
        let root = "22 1 254:0 / / rw - xfs /dev/vda1 rw\n"
        host.write("\(root)\(line)\n33 22 0:42 / /net rw - nfs4 server:/export rw\n", to: "proc/self/mountinfo")
        #expect(try backing(host, "/data/swap file 1024 0 -2") == .disk)
        #expect(try backing(host, "/net/swap file 1024 0 -2") == .network("nfs4"))
        host.remove("proc/self/mountinfo")
        host.write("/dev/vda1 / xfs rw 0 0\n/dev/vdb /data\nserver:/export /net nfs4\n", to: "proc/mounts")
        #expect(try backing(host, "/data/swap file 1024 0 -2") == .disk)
        #expect(try backing(host, "/net/swap file 1024 0 -2") == .network("nfs4"))
    }

    @Test func `of several file systems on one place the last counts`() throws {
        let host = FakeHost()
        host.write("/a / xfs rw\n/b /data zfs rw\n/c /data xfs rw\n/d /da zfs rw\n", to: "proc/mounts")
        #expect(try backing(host, "/data/swap file 1024 0 -2") == .disk)
        host.write("/a / xfs rw\n/c /data xfs rw\n/b /data zfs rw\n", to: "proc/mounts")
        #expect(try backing(host, "/data/swap file 1024 0 -2") == .copyOnWrite("ZFS"))
    }

    @Test(arguments: [
        ("/my\\040files", "/my files"), ("/files\\040", "/files "), ("/a\\134b", "/a\\b"), ("/a\\04", "/a\\04"),
        ("/a\\", "/a\\"), ("/a\\089", "/a\\089"), ("/a\\777", "/a\\777"), ("\\011", "\t"), ("", ""),
        ("/swap1234", "/swap1234"),
    ])
    func `three octal digits behind a backslash are a byte`(text: String, plain: String) {
        #expect(MountTable.unescaped(text[...]) == plain)
    }

    @Test func `devices are looked through as deep as the kernel stacks them`() throws {
        for (levels, backing) in [(7, SwapDevice.Backing.zfsVolume), (8, .zfsVolume), (9, .disk)] {
            let host = FakeHost()
            for level in 0..<levels {
                let below = level == levels - 1 ? "zd0" : "dm-\(level + 1)"
                host.createFolder("sys/class/block/dm-\(level)/slaves/\(below)")
            }
            #expect(try self.backing(host, "/dev/dm-0 partition 1024 0 -2") == backing, "\(levels)")
        }
    }

    @Test(arguments: [("loop0", true), ("loop", false), ("loopy", false), ("sda", false)])
    func `only a loop device lies on a file`(name: String, liesOnFile: Bool) throws {
        let host = FakeHost()
        host.write("/data/image\n", to: "sys/class/block/\(name)/loop/backing_file")
        host.write("/b /data btrfs rw\n", to: "proc/mounts")
        #expect(
            try backing(host, "/dev/\(name) partition 1024 0 -2") == (liesOnFile ? .copyOnWrite("btrfs") : .disk))
    }

    @Test func `what cannot be told is taken for a disk, and each hindrance is said`() throws {
        #expect(try backing(FakeHost(), "/swapfile file 1024 0 -2") == .disk)
        #expect(SwapDevice.Backing.disk.hindrance == nil)
        #expect(SwapDevice.Backing.zfsVolume.hindrance?.contains("ZFS") == true)
        #expect(SwapDevice.Backing.network("nfs4").hindrance?.contains("nfs4") == true)
    }

    @Test func `swappiness`() throws {
        let host = FakeHost()
        #expect(try Swappiness.read(host.paths) == nil)
        host.write("0\n", to: "proc/sys/vm/swappiness")
        #expect(try Swappiness.read(host.paths) == 0)
    }
}
