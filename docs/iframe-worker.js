// Search in a site that is read from the disk: browsers start no Worker from a file, so its script runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = Object.assign(document.createElement("iframe"), {hidden: true, srcdoc: "<!doctype html>"})
      this.started = new Promise((started) => {
        frame.onload = () => {
          const inside = frame.contentWindow
          inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", {data}))
          const script = inside.document.createElement("script")
          script.onload = () => started(inside)
          script.src = url
          inside.document.body.append(script)
        }
      })
      document.body.append(frame)
    }

    async postMessage(data) {
      const inside = await this.started
      inside.dispatchEvent(new MessageEvent("message", {data}))
    }
  }
}
