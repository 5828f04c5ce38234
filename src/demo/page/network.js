// Tells of every request that a page makes to another server, by fetch or by XMLHttpRequest, whoever makes it. It comes before
// the players: they keep the fetch that they find.

/** Set by the page: called with each such request once it is answered, and with its answer. */
window.onKeyRequest = () => undefined

{
  const tell = (request) => window.onKeyRequest(request)
  const isOurs = (url) => new URL(url, location.href).origin !== location.origin

  const { fetch } = window
  window.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    if (!isOurs(url)) return fetch(input, init)
    const began = performance.now()
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    const asked = { method, url, hasToken: headers.has('authorization'), sent: textOf(init?.body) }
    try {
      const response = await fetch(input, init)
      const bytes = await response.clone().arrayBuffer()
      tell({ ...asked, status: response.status, bytes, ms: performance.now() - began })
      return response
    } catch (error) {
      if (error.name !== 'AbortError')
        tell({ ...asked, status: 0, bytes: new ArrayBuffer(0), ms: performance.now() - began })
      throw error
    }
  }

  const { open, send, setRequestHeader } = XMLHttpRequest.prototype
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    this.asked = { method, url: String(url), hasToken: false }
    return open.call(this, method, url, ...rest)
  }
  XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
    if (name.toLowerCase() === 'authorization') this.asked.hasToken = true
    return setRequestHeader.call(this, name, value)
  }
  XMLHttpRequest.prototype.send = function (body) {
    if (isOurs(this.asked.url)) {
      const began = performance.now()
      this.addEventListener('loadend', () => {
        const ms = performance.now() - began
        tell({ ...this.asked, sent: textOf(body), status: this.status, bytes: bytesOf(this), ms })
      })
    }
    return send.call(this, body)
  }

  function textOf(body) {
    if (typeof body === 'string') return body
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return new TextDecoder().decode(body)
    return ''
  }

  function bytesOf(xhr) {
    if (xhr.responseType === 'arraybuffer') return xhr.response ?? new ArrayBuffer(0)
    if (xhr.responseType === '' || xhr.responseType === 'text') return new TextEncoder().encode(xhr.responseText).buffer
    return new TextEncoder().encode(JSON.stringify(xhr.response)).buffer
  }
}
