// counts a page view
(() => {
  const {src, dataset: {counter, dnt, receipt, spa}} = document.currentScript
  const url = new URL(`v1/counters/${counter}/visits`, src), box = 'footfall:' + counter
  const visit = () => {
    let body
    if (receipt != null) try {
      const key = crypto.getRandomValues(new Uint32Array(5)).join('-') // its own receipt
      localStorage[box] = (key + ' ' + (localStorage[box] || '')).slice(0, 9999)
      body = JSON.stringify({visits: [{key}]})
    } catch {}
    navigator.sendBeacon(url, body)
  }
  if (dnt != null && (navigator.doNotTrack == 1 || navigator.globalPrivacyControl)) return
  if (document.prerendering) document.onprerenderingchange = visit; else visit()
  if (spa != null) {
    const push = history.pushState
    history.pushState = (...a) => (push.apply(history, a), visit())
  }
  addEventListener('message', ({origin, data, source}) => // a frame of /c/
    origin == url.origin && data == box && source.postMessage({[box]: localStorage[box]}, origin))
})()
