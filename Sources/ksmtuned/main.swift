import Glibc
import HostKernel

func main() -> ExitStatus {
    let options: Options
    do {
        options = try Options(parsing: Array(try ProgramArguments.read().dropFirst()))
    } catch {
        try? StandardStream.error.write("ksmtuned: \(error); see ksmtuned --help\n")
        return .usage
    }
    switch options.task {
    case .run: return Start(options).run()
    case .checkConfiguration: return Start(options).checkConfiguration()
    case .showVersion: try? StandardStream.output.write("ksmtuned \(programVersion)\n")
    case .showHelp: try? StandardStream.output.write(Options.help)
    }
    return .success
}

StandardStream.keepPlaces()
exit(main().rawValue)
