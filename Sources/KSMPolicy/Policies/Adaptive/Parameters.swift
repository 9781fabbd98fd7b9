extension AdaptivePolicy {
    /// The numbers of the law that are no settings, each with its reason.
    package enum Parameters {
        // MARK: New memory

        /// Growth below this is not worth a scan: a guest's monitor grows by itself, by memory that does not merge.
        package static let leastGrowth = KiB(16 * 1024)
        /// All that merging saves on a host is worth the whole time of so many CPUs: so the worth of a CPU goes by the
        /// host's size, and a small loss on a small host is not avoided at all costs.
        static let processorsForAll = 6.0
        /// The time over which the usual growth of guests is averaged, and the passes whose time it is where that is more.
        static let growthMemory = Duration.seconds(30)
        static let growthPasses = 10.0
        /// Guests that fill their memory faster than ksmd could go through it are waited for, for so long, or for this part
        /// of the time that it takes to go through it: all of a large host's guests can take minutes.
        static let longestFillWait = Duration.seconds(5)
        static let longestFillWaitPart = 1.0 / 50
        /// Between two looks at guests that fill their memory: a small part of the time that a large guest takes for it.
        static let growthStep = Duration.milliseconds(200)
        /// A guest whose growth was never mergeable may yet load something that is, so its growth counts for this share.
        static let leastHitRate = 1.0 / 8
        /// A first pass that saw a smaller share than this of the new memory has not come to the guests that brought
        /// it: they were linked right behind the place where ksmd had stopped.
        static let leastSeenTenths: Int64 = 9
        /// What the last pass showed of a guest's growth, or of changed pages, counts this many times as much as all
        /// before it: guests change what they do.
        static let weightOfLastPass = 3.0
        /// Where at least this share of all known pages is saved, newcomers are expected to merge with shared pages.
        static let leastUsualShare = 0.25
        /// They have when they merged by this part of the usual share: no two guests are the same.
        static let usualPart = 0.9
        /// A step tells where new memory lies when at least this share of the pages that it came to was new: every guest
        /// grows a little.
        static let leastFreshShare = 1.0 / 64

        /// Whether ksmd has come so far in a pass that the rest of it says nothing of the whole.
        static func isPart(_ visited: Pages, of known: Pages) -> Bool {
            Double(visited.count) > (1 - wholeShare) * Double(known.count)
        }

        // MARK: Changed memory

        /// Changed memory below this is not worth a pass: in every guest some pages change all the time.
        static let leastChange = KiB(4 * 1024)
        /// What has stayed unmerged is likely to stay, so a pass for it may cost twice as much after this time, three
        /// times after twice this time, and so on.
        static let patience = Duration.seconds(15)
        /// After this time it gets no more.
        static let longestPatience = Duration.seconds(3600)
        /// The share of changed pages that is expected to merge before any pass has shown it.
        static let firstChangedYield = 1.0 / 3
        /// The least that is expected: with nothing at all no pass would ever show that it has changed.
        static let leastChangedYield = 1.0 / 256
        /// A pass that compared fewer changed pages than this says nothing of their yield.
        static let leastChangedSample = Pages(256)

        // MARK: Looks at what no counter tells of

        /// Memory that changes in place, while guests hold as much as before, shows in no file until ksmd comes by. So it
        /// is sent to look, as long as guests do anything: at this many pages at least, or at this share of all.
        static let leastLook = Pages(32768)
        static let lookShare = 1.0 / 32

        /// The first batch of a look, at most: it stops soon behind the pages that it takes.
        static let firstBatchOfLook = Pages(8192)

        static func pagesOfLook(of known: Pages) -> Pages {
            max(leastLook, Pages(rounding: Double(known.count) * lookShare))
        }
        /// Between two looks at what guests do, at least, and for each of them: one takes 30 microseconds, and a third of a
        /// thousandth of a CPU is enough for all.
        static let activityPause = Duration.seconds(5)
        static let activityPausePerGuest = Duration.milliseconds(100)
        /// After a pass, and between two looks, at least: what guests are at should be done.
        static let leastLookPause = Duration.seconds(8)
        /// The share of a CPU that looks in vain may take on average, and that looks may take which are likely to find
        /// something.
        static let lookBudget = 0.004
        static let greatestLookBudget = 0.02
        /// Where a larger share than this of all pages counts as changed, a look goes on to the end of the pass.
        static let doubtfulShare = 0.1
        /// Guests are busy that had this share of a CPU, or wrote to this share and number of the merged pages.
        static let busyShare = 0.1
        static let busyWrites = 0.002
        static let leastBusyWrites = Pages(256)
        /// What a part of a pass shows of changes counts as if that part were so many times as large.
        static let weightOfPart = 8.0
        /// A pass that passed over more than this share says nothing of what it passed over.
        static let wholeShare = 0.9
        /// Between two passes that tell how fast memory changes, at least: what changed within less is written all the
        /// time.
        static let leastDriftTime = Duration.seconds(5)

        // MARK: Short memory and busy CPUs

        /// Below this share of available memory there is no waiting.
        static let shortAvailable = 0.05
        /// While memory is short a pass may cost this many times as much: swapping costs more.
        static let shortageWorth = 4.0
        /// Memory counts as short for this time after the kernel announced it: it announces what lasts again and again.
        static let shortageLasts = Duration.seconds(10)
        /// Up to this share of time in which some task waits for a CPU ksmd keeps its share; from there on it gives up
        /// what others wait for.
        static let toleratedCPUPressure = 0.25
        /// What was measured longer ago, or over a longer time, says nothing of the present.
        static let pressureLasts = Duration.seconds(30)
        /// What it keeps in any case, of its share: merging that never ends helps nobody.
        static let leastPressedShare = 0.25

        // MARK: Scans

        /// The most passes in a row, whatever they merge: guests that change all the time would keep ksmd scanning.
        static let mostPasses = 12
        /// A page is hashed in one pass and compared in the next.
        static let passesToMerge = 2
        /// ksmd that did nothing for this time has nothing to do: its longest sleep is a twentieth of a second. One that gets
        /// no CPU shows no more, until it has its own scheduling back after ``KsmdStarvation/window``.
        static let stalledAfter = Duration.seconds(5)

        // MARK: Looks

        /// Between two steps of a scan, at least, where a pass ends within the usual time of one: what ksmd comes to behind
        /// its end may be in vain.
        static let leastStep = Duration.milliseconds(20)
        /// Between two looks at the guests while ksmd scans: what a pass is worth is asked at its end.
        static let guestStep = Duration.seconds(1)
        /// Between two looks at the guests, for each of them: a look takes 5 microseconds, and a quarter of a thousandth of a CPU
        /// is enough for all of them.
        static let pausePerGuest = Duration.milliseconds(20)
        /// Between two looks at the host's memory: that it is short the kernel announces by itself.
        static let memoryStep = Duration.seconds(2)
        /// A step is this part of the time until there is more to tell.
        static let partOfTime = 1.0 / 8
        /// Between two steps of a scan, at most: as long ksmd may keep a pace that no more fits the pages that it comes to.
        static let longestStep = Duration.milliseconds(250)

        // MARK: What a pass costs

        /// ksmd's time for a page that is merged already, and for one that is compared with the others, in seconds. They
        /// are where ``PassCost`` begins; what a host's passes take is learnt.
        static let secondsPerMergedPage = 0.4e-6
        static let secondsPerComparedPage = 6e-6
        static let secondsPerHashedPage = 0.7e-6
        /// The time of a pass over next to nothing, in seconds: as a divisor it is not 0.
        static let leastPassSeconds = 1e-3

        // MARK: ksmd's pace

        /// A batch and the sleep behind it take this long together, in milliseconds: long enough that ksmd does not
        /// wake for nothing, short enough that a write to `run`, which waits for the batch, is not held up.
        static let batchMilliseconds = 50.0
        /// Pages that a slow host compares in a millisecond: the first batch, before anything was measured.
        static let firstPagesPerMillisecond = 150.0
        /// Bounds of a batch. The lower one keeps a pass going. The upper one keeps a write to `run` from waiting for
        /// longer than a second where a batch that was to be hashed is compared.
        static let batchPages = 16.0...200_000
        /// A pass has so many batches at least: a scan ends with one, and what is left of it then is in vain.
        static let batchesOfPass: Int64 = 8
        /// The shortest sleep behind a batch, in milliseconds: without one ksmd would never let go of its CPU.
        static let leastSleepMilliseconds = 1.0
        /// What all steps before count for, against the last one, in what ksmd was seen to take.
        static let weightOfEarlierSteps = 1.0 / 2
        /// Below this share that ksmd took, and below this share that it left, a measurement is noise.
        static let leastMeasuredShare = 0.001
        static let leastMeasuredRest = 0.02
        /// The time in which CPU time above the share is paid back, in seconds.
        static let paybackSeconds = 1.0
        /// What was taken too little is made up for as far as it is the share of so many seconds.
        static let creditSeconds = 0.05
        /// The least part of the share while it is paid back: a pass has to go on.
        static let leastPaybackPart = 1.0 / 8
        /// The most by which a batch becomes shorter or longer in one step: the time for a page changes tenfold between
        /// hashing and comparing, and too long a batch costs others, where too short a one only costs time.
        static let batchChange = 0.1...3
        /// ksmd that ran or was ready to run for more than this share of a step is hardly ever asleep: a longer batch
        /// would get it no more.
        static let starvedShare = 0.9
    }
}
