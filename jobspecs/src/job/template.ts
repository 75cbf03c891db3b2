/** A small job to begin with; `name` must be fit for a label. */
export function jobTemplate(name: string): string {
  return `# Three copies of a small web server, found as _http._${name}._tcp.services.muster.
job "${name}" {
  type = "service"

  group "web" {
    count = 3

    network {
      port "http" {}
    }

    service {
      port = "http"

      check {
        type     = "http"
        path     = "/"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "server" {
      driver = "process"

      config {
        command = "node"
        args = ["-e", <<-EOF
          const http = require("node:http");
          const port = Number(process.env.MUSTER_PORT_http);
          http.createServer((_, response) => response.end("hello from port " + port + "\\n")).listen(port);
          process.on("SIGTERM", () => process.exit(0));
          EOF
        ]
      }

      resources {
        cpu    = 10
        memory = 64
      }
    }
  }
}
`;
}
