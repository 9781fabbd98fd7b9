internal import Glibc
package import KSMPolicy

/// What guests hold, and what they do.
extension GuestTable {
    /// Reads how much memory each guest holds, merged pages included, and what of it is neither a file's nor shared.
    ///
    /// - Parameter body: Called once for each guest that has not ended, with its pid and its identity: a number that no
    ///   other guest of this table ever had, so that a pid that came back as another guest can be told.
    /// - Returns: Why these are not all.
    @discardableResult package func residents(
        _ body: (_ pid: Int32, _ identity: Int64, _ pages: Pages, _ anonymous: Pages) -> Void
    ) -> KernelFileError? {
        var failure = blindness
        for guest in guests {
            switch guest.read(in: folder) {
            case .resident(let pages, let anonymous): body(guest.pid, guest.identity, pages, anonymous)
            case .ended: break
            case .failed(let error): failure = failure ?? error
            }
        }
        return failure
    }

    /// Reads what each guest has done so far, all its threads together.
    ///
    /// - Parameter body: Called once for each guest that has not ended, with its identity as in ``residents(_:)``.
    /// - Returns: Why these are not all.
    @discardableResult package func activity(
        _ body: (_ identity: Int64, _ work: GuestWork) -> Void
    ) -> KernelFileError? {
        var failure: KernelFileError?
        for guest in guests {
            do throws(KernelFileError) {
                guard let work = try guest.work(in: folder) else { continue }
                body(guest.identity, work)
            } catch {
                failure = failure ?? error
            }
        }
        return failure
    }

    /// Adds up what the guests hold.
    ///
    /// A guest that ends meanwhile counts nothing; that is normal.
    package mutating func measure(by metric: GuestMetric) -> Measurement {
        var sum = Measurement()
        sum.failure = blindness
        sum.unreadable = unknown.count + unknownCreators.count
        let readings = guests.map { $0.read(in: folder) }
        let shares = metric == .pss ? readShares(readings) : Shares()
        for (guest, reading) in zip(guests, readings) {
            let resident: Pages
            switch reading {
            case .resident(let pages, _): resident = pages
            case .ended: continue
            case .failed(let error):
                sum.failure = sum.failure ?? error
                sum.unreadable += 1
                continue
            }
            var held = resident.kibibytes(of: Host.pageSize)
            do throws(KernelFileError) {
                switch metric {
                case .rsz: break
                case .pss: held = try share(of: guest, in: shares)
                case .unmerged: held = try unmerged(guest, resident: resident)
                case .residentAndSwap:
                    held += try number("VmSwap", in: "status", limit: ProcessFile.longestStatus, of: guest)
                }
            } catch {
                if error.isVanished && !ProcessFile.exists(folder.number, guest.pid) { continue }
                sum.fallback = sum.fallback ?? error
            }
            sum.committed = sum.committed + held
            sum.guests += 1
        }
        return sum
    }

    /// A line of one of the guest's files, in KiB.
    ///
    /// `VmSwap` of `status` costs as little as `statm`, and is there for everybody.
    private func number(
        _ line: StaticString, in file: String, limit: Int, of guest: GuestProcess
    ) throws(KernelFileError) -> KiB {
        try number(line, in: try read(file, of: guest, limit: limit), "\(folder.path)/\(guest.pid)/\(file)")
    }

    private func number(_ line: StaticString, in text: [UInt8], _ path: String) throws(KernelFileError) -> KiB {
        guard let number = NamedNumber.find(line: line, in: text.span) else {
            throw KernelFileError(.understand, path, errno: 0, detail: "it has no \(line) line")
        }
        return KiB(number)
    }

    // MARK: Proportional shares

    private static var longestShares: Int { 4096 }

    /// What came of asking all guests, and the answers by their pids.
    private struct Shares {
        var round = ChildRead.Round()
        var answers: [Int32: ChildRead.Answer] = [:]
    }

    /// What each guest's `smaps_rollup` says, which its process can keep from being read; see ``ChildRead``.
    ///
    /// The kernel walks the guest's page tables for it, 12 ms per GiB of 4 KiB pages, and shows it only to who may trace the
    /// guest.
    private func readShares(_ readings: [GuestProcess.Reading]) -> Shares {
        var pids: [Int32] = []
        var largest = KiB.zero
        for (guest, reading) in zip(guests, readings) {
            guard case .resident(let pages, _) = reading else { continue }
            pids.append(guest.pid)
            largest = max(largest, pages.kibibytes(of: Host.pageSize))
        }
        let place = ChildRead.Folder(folder.number, isStandIn: isStandIn)
        // Four times what it takes on an idle host.
        let patience = ChildRead.patience + .milliseconds(50) * (largest.count >> 20)
        let round = ChildRead.ask(
            pids, for: "smaps_rollup", upTo: Self.longestShares, in: place, mostSilent: 2, patience: patience)
        return Shares(round: round, answers: Dictionary(round.answers.map { ($0.pid, $0.answer) }) { $1 })
    }

    private func share(of guest: GuestProcess, in shares: Shares) throws(KernelFileError) -> KiB {
        let path = "\(folder.path)/\(guest.pid)/smaps_rollup"
        switch shares.answers[guest.pid] {
        case .bytes(let text) where text.count < Self.longestShares: return try number("Pss", in: text, path)
        case .bytes: throw KernelFileError(.read, path, errno: EFBIG)
        case .failed(let errno): throw KernelFileError(.read, path, errno: errno)
        case nil where shares.round.silent.contains(guest.pid):
            throw ChildRead.silence(path, of: ProcessFile.user(folder.number, guest.pid))
        case nil: throw shares.round.failure(ofUnasked: path)
        }
    }

    /// Resident less `ksm_merging_pages`, which the kernel shows to the guest's owner only.
    private func unmerged(_ guest: GuestProcess, resident: Pages) throws(KernelFileError) -> KiB {
        let path = "\(folder.path)/\(guest.pid)/ksm_merging_pages"
        let text = try read("ksm_merging_pages", of: guest, limit: 64)
        guard let merging = DecimalField(text.span, at: 0) else {
            throw KernelFileError(.understand, path, errno: 0, detail: "it holds no number")
        }
        return (resident - Pages(merging.value)).nonNegative.kibibytes(of: Host.pageSize)
    }

    private func read(_ file: String, of guest: GuestProcess, limit: Int) throws(KernelFileError) -> [UInt8] {
        let path = "\(folder.path)/\(guest.pid)/\(file)"
        let number = ProcessFile.open(folder.number, guest.pid, file)
        guard number >= 0 else { throw KernelFileError(.read, path, errno: errno) }
        return try FileDescriptor(adopting: number).readToEnd(limit: limit, path: path)
    }
}
